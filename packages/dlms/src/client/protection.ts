import { NO_BYTES, toHex } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import type { ProtectionKeys } from "../security/content.ts";
import { securityControl } from "../security/control.ts";
import { protectApdu } from "../security/envelope.ts";
import { sealGeneralCiphering } from "../security/general-ciphering.ts";
import type { KeySource } from "../security/key-info.ts";
import { type LayerKeys, type LayerParties, type OpenedApdu, openLayers, signLayer } from "../security/layers.ts";
import type { GeneralSetup } from "../security/message-key.ts";
import { STANDARD_SECURITY } from "../security/profile.ts";
import { SECURITY_SUITES, TAG_BYTES } from "../security/suites.ts";
import { type ProtectionForm, protectionFormOf } from "../security/tags.ts";
import type { SystemTitle } from "../system-title.ts";
import type { ClientCiphering } from "./association-config.ts";
import type { Protection } from "./ports.ts";
import { SessionError } from "./session-error.ts";

const TRANSACTION_ID_BYTES = 8;
const MOST_UNANSWERED = 256;
/** Tag, length, security control, counter and tag; a system title where the form has one. */
const CONTENT_BYTES = 30;
/** Tag, a transaction id of 32 octets at most, both titles, and two empty fields. */
const HEADER_BYTES = 54;
const LENGTHS_BYTES = 6;
const GLOBAL_SOURCES: readonly KeySource[] = ["unicast", "broadcast"];
const EXCEPTION_RESPONSE_TAG = 0xd8;

/** The counters that this side protects with. Never the same twice under one key; durable where keys outlive a process. */
export interface FrameCounters {
  /** Takes `count` counters in a row and gives the first. */
  take(count: number): number;
}

/** The counters seen from the server. */
export interface ReceivedCounters {
  /** Remembers `counter` and says whether it was acceptable: new, and not below what a replay could bring. */
  accept(counter: number): boolean;
}

/** Both ends of a ciphered association, as the client sees them. */
export interface CipheredParties<Key> {
  readonly ciphering: ClientCiphering<Key>;
  readonly client: SystemTitle;
  readonly server: SystemTitle;
}

/** How one APDU departs from its association. */
export interface SealOptions {
  /** Another form where the association's cannot be used yet; the APDU is then not signed either. */
  readonly form?: ProtectionForm;
  /** For the forms that carry one; a fresh one unless given. */
  readonly transactionId?: Uint8Array;
}

/**
 * Protects one APDU: signed where the association signs, then ciphered in its form.
 *
 * @throws DlmsError `protection-mismatch` where the form has no place for the APDU, `key-missing`, `out-of-range`
 */
export function sealApdu<Key>(
  parties: Omit<CipheredParties<Key>, "server"> & { readonly server?: SystemTitle },
  plain: Uint8Array,
  counter: number,
  options: SealOptions = {},
): Uint8Array {
  const { ciphering, client } = parties;
  const { ciphers, suite, authenticated, encrypted, general } = ciphering;
  const form = options.form ?? ciphering.form;
  const global = form === "global" || form === "general-global";
  const broadcast = options.form === undefined && global && ciphering.broadcastKey !== undefined;
  const control = securityControl({ suite, authenticated, encrypted, broadcast });
  const signs = options.form === undefined && general?.signs === true;
  if (!signs && form !== "general-ciphering")
    return protectApdu(ciphers, keysFor(ciphering, form), { form, control, originator: client, counter }, plain);
  const setup = generalSetup(ciphering);
  const header = {
    transactionId: options.transactionId ?? transactionId(ciphering),
    originator: client,
    recipient: parties.server,
    dateTime: NO_BYTES,
    otherInformation: NO_BYTES,
  };
  const text = signs ? signLayer(setup, header, plain) : plain;
  if (signs && !authenticated && !encrypted) return text;
  if (form === "general-ciphering")
    return sealGeneralCiphering(setup, { ...header, control, counter, source: general?.source }, text);
  return protectApdu(ciphers, keysFor(ciphering, form), { form, control, originator: client, counter }, text);
}

/** A transaction id for the next request. */
function transactionId<Key>({ general }: ClientCiphering<Key>): Uint8Array {
  return general?.transactionIds?.() ?? general?.platform.random(TRANSACTION_ID_BYTES) ?? NO_BYTES;
}

/** A response as it came out of its protection. */
export interface OpenedResponse {
  readonly plain: Uint8Array;
  /** To be judged against those seen before. Undefined for a plain exception-response, and where the transaction id is what makes it new. */
  readonly counter: number | undefined;
  /** That of the request which this answers, in the forms that carry one. */
  readonly transactionId: Uint8Array | undefined;
}

/**
 * Opens one APDU of the server, every layer of it.
 *
 * An exception-response passes unprotected, since servers have no other way to refuse what they cannot decipher: it is
 * only ever an error, never data.
 *
 * @throws SessionError `server-not-authentic`, `response-unprotected`
 */
export function openApdu<Key>(
  { ciphering, client, server }: CipheredParties<Key>,
  octets: Uint8Array,
  options?: {
    /** What makes, proves and releases an association is not signed, whatever goes through it. */
    readonly mayBeUnsigned?: boolean;
  },
): OpenedResponse {
  const tag = octets[0] ?? 0;
  if (tag === EXCEPTION_RESPONSE_TAG) return { plain: octets, counter: undefined, transactionId: undefined };
  if (protectionFormOf(tag) === undefined)
    throw new SessionError(
      "response-unprotected",
      `a plain APDU (tag 0x${tag.toString(16)}) in a ciphered association`,
    );
  const opened = openedLayers(ciphering, { originator: server, recipient: client }, octets);
  if (isWeaker(ciphering, opened, options?.mayBeUnsigned === true))
    throw new SessionError("response-unprotected", "the response is protected less than its request was");
  const { plain, ciphering: facts, transactionId: id } = opened;
  // A key made for one APDU has no counters to compare with, and a signature alone has none at all.
  const shared = facts !== undefined && (facts.source === undefined || GLOBAL_SOURCES.includes(facts.source));
  return { plain, counter: shared ? facts.counter : undefined, transactionId: id };
}

function openedLayers<Key>(ciphering: ClientCiphering<Key>, parties: LayerParties, octets: Uint8Array): OpenedApdu {
  const { ciphers, general } = ciphering;
  const keys: LayerKeys<Key> = {
    ciphers,
    keysFor: (form) => keysFor(ciphering, form),
    general: general === undefined ? undefined : () => generalSetup(ciphering),
  };
  try {
    return openLayers(keys, parties, octets);
  } catch (error) {
    if (error instanceof SessionError || !(error instanceof DlmsError)) throw error;
    throw new SessionError("server-not-authentic", `a response is not authentic: ${error.message}`, { cause: error });
  }
}

/** Whether a response has less protection than the association asks for. */
function isWeaker<Key>(
  { authenticated, encrypted, general }: ClientCiphering<Key>,
  { ciphering, signed }: OpenedApdu,
  mayBeUnsigned: boolean,
): boolean {
  const wantsSignature = general?.requiresSigned ?? general?.signs ?? false;
  if (wantsSignature && !signed && !mayBeUnsigned) return true;
  return (authenticated && ciphering?.tag !== "verified") || (encrypted && ciphering?.control.encrypted !== true);
}

function generalSetup<Key>(ciphering: ClientCiphering<Key>): GeneralSetup<Key> {
  const { suite, encryptionKey, authenticationKey, general } = ciphering;
  if (general === undefined)
    throw new DlmsError("key-missing", "general-ciphering and general-signing were not set up for this association");
  const { platform, profile = STANDARD_SECURITY } = general;
  const keys = { ...general.keys, encryption: encryptionKey, authentication: authenticationKey };
  return { platform, suite, profile, keys };
}

function keysFor<Key>(ciphering: ClientCiphering<Key>, form: ProtectionForm): ProtectionKeys<Key> {
  const { encryptionKey, authenticationKey, dedicatedKey, broadcastKey, general } = ciphering;
  if (form === "global" || form === "general-global")
    return {
      encryption: encryptionKey,
      authentication: authenticationKey,
      broadcast: broadcastKey ?? general?.keys.broadcast,
    };
  if (dedicatedKey === undefined) throw new DlmsError("key-missing", "the association has no dedicated key");
  return { encryption: dedicatedKey.key, authentication: authenticationKey };
}

/** The protection of an association whose keys are in this process. */
export function localProtection<Key>(
  parties: CipheredParties<Key>,
  frameCounters: FrameCounters,
  receivedCounters: ReceivedCounters,
): Protection {
  // Requests that carried a transaction id and are not answered yet: a response repeats its request's, once.
  const unanswered = new Set<string>();
  const carriesId = parties.ciphering.form === "general-ciphering" || parties.ciphering.general?.signs === true;
  function seal(plain: Uint8Array, counter: number): Uint8Array {
    if (!carriesId) return sealApdu(parties, plain, counter);
    const id = transactionId(parties.ciphering);
    unanswered.add(toHex(id));
    // What was never answered, or answered without its id, must not pile up.
    const [oldest] = unanswered;
    if (unanswered.size > MOST_UNANSWERED && oldest !== undefined) unanswered.delete(oldest);
    return sealApdu(parties, plain, counter, { transactionId: id });
  }
  const overheadBytes = sealOverheadBytes(parties.ciphering);
  return {
    overheadBytes,
    async seal(apdus) {
      const first = frameCounters.take(apdus.length);
      return apdus.map((plain, at) => seal(plain, first + at));
    },
    async open(apdus) {
      return apdus.map((octets) => {
        const { plain, counter, transactionId: id } = openApdu(parties, octets);
        const known = id !== undefined && unanswered.delete(toHex(id));
        if (counter === undefined && plain !== octets && !known)
          throw new SessionError("counter-replayed", "the response answers no request that is under way");
        if (counter !== undefined && !receivedCounters.accept(counter))
          throw new SessionError("counter-replayed", `invocation counter ${counter} was seen before, or is too old`);
        return plain;
      });
    },
  };
}

/** What every form adds, and on top of it header, signature and key-info. */
function sealOverheadBytes<Key>({ suite, form, general, authenticated }: ClientCiphering<Key>): number {
  const signs = general?.signs === true;
  if (form !== "general-ciphering" && !signs) return protectionBytes(form, authenticated);
  const { signatureBytes, keyBytes } = SECURITY_SUITES[suite];
  const signing = signs ? HEADER_BYTES + LENGTHS_BYTES + signatureBytes : 0;
  const keyInfo = form === "general-ciphering" ? HEADER_BYTES + 8 + Math.max(2 * signatureBytes, keyBytes + 8) : 0;
  return CONTENT_BYTES + signing + keyInfo;
}

/** Tag, length of three octets, security control, counter and tag; in the general forms the title as well. */
function protectionBytes(form: ProtectionForm, authenticated: boolean): number {
  const named = form === "general-global" || form === "general-dedicated";
  return 1 + 3 + 1 + 4 + (authenticated ? TAG_BYTES : 0) + (named ? 1 + 8 : 0);
}

/** The protection of an association that has none. */
export const NO_PROTECTION: Protection = {
  overheadBytes: 0,
  seal: async (apdus) => apdus,
  open: async (apdus) => apdus,
};

/** Counters in memory, from `next` on. For tests and one-off tools: what is not durable repeats after a restart. */
export function frameCountersFrom(next: number): FrameCounters {
  let counter = next;
  return {
    take(count) {
      const first = counter;
      counter += count;
      return first;
    },
  };
}

/** Accepts counters that rise, from `lowest` on. */
export function risingCountersFrom(lowest: number): ReceivedCounters {
  let least = lowest;
  return {
    accept(counter) {
      if (counter < least) return false;
      least = counter + 1;
      return true;
    },
  };
}
