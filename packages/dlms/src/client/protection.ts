import { DlmsError } from "../errors.ts";
import type { ProtectionKeys } from "../security/content.ts";
import { securityControl } from "../security/control.ts";
import { parseProtectedApdu, protectApdu, unprotectApdu } from "../security/envelope.ts";
import { type ProtectionForm, protectionFormOf } from "../security/tags.ts";
import type { SystemTitle } from "../system-title.ts";
import type { ClientCiphering } from "./association-config.ts";
import type { Protection } from "./ports.ts";
import { SessionError } from "./session-error.ts";

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

/** Protects one APDU with the association's form, or another where the form cannot be used yet. */
export function sealApdu<Key>(
  { ciphering, client }: Omit<CipheredParties<Key>, "server">,
  plain: Uint8Array,
  counter: number,
  form: ProtectionForm = ciphering.form,
): Uint8Array {
  const { ciphers, suite, authenticated, encrypted } = ciphering;
  const control = securityControl({ suite, authenticated, encrypted });
  return protectApdu(ciphers, keysFor(ciphering, form), { form, control, originator: client, counter }, plain);
}

/** A response as it came out of its protection. */
export interface OpenedResponse {
  readonly plain: Uint8Array;
  /** Undefined for a plain exception-response. */
  readonly counter: number | undefined;
}

/**
 * Opens one APDU of the server.
 *
 * An exception-response passes unprotected, since servers have no other way to refuse what they cannot decipher: it is
 * only ever an error, never data.
 *
 * @throws SessionError `server-not-authentic`, `response-unprotected`
 */
export function openApdu<Key>({ ciphering, server }: CipheredParties<Key>, octets: Uint8Array): OpenedResponse {
  const tag = octets[0] ?? 0;
  if (tag === EXCEPTION_RESPONSE_TAG) return { plain: octets, counter: undefined };
  if (protectionFormOf(tag) === undefined)
    throw new SessionError(
      "response-unprotected",
      `a plain APDU (tag 0x${tag.toString(16)}) in a ciphered association`,
    );
  try {
    const parsed = parseProtectedApdu(octets);
    const opened = unprotectApdu(ciphering.ciphers, keysFor(ciphering, parsed.form), parsed, server);
    const weaker =
      (ciphering.authenticated && opened.tag !== "verified") || (ciphering.encrypted && !opened.control.encrypted);
    if (weaker) throw new SessionError("response-unprotected", "the response is protected less than its request was");
    return { plain: opened.plain, counter: opened.counter };
  } catch (error) {
    if (error instanceof SessionError || !(error instanceof DlmsError)) throw error;
    throw new SessionError("server-not-authentic", `a response is not authentic: ${error.message}`, { cause: error });
  }
}

function keysFor<Key>(ciphering: ClientCiphering<Key>, form: ProtectionForm): ProtectionKeys<Key> {
  const { encryptionKey, authenticationKey, dedicatedKey } = ciphering;
  if (form === "global" || form === "general-global")
    return { encryption: encryptionKey, authentication: authenticationKey };
  if (dedicatedKey === undefined) throw new DlmsError("key-missing", "the association has no dedicated key");
  return { encryption: dedicatedKey.key, authentication: authenticationKey };
}

/** The protection of an association whose keys are in this process. */
export function localProtection<Key>(
  parties: CipheredParties<Key>,
  frameCounters: FrameCounters,
  receivedCounters: ReceivedCounters,
): Protection {
  return {
    async seal(apdus) {
      const first = frameCounters.take(apdus.length);
      return apdus.map((plain, at) => sealApdu(parties, plain, first + at));
    },
    async open(apdus) {
      return apdus.map((octets) => {
        const { plain, counter } = openApdu(parties, octets);
        if (counter !== undefined && !receivedCounters.accept(counter))
          throw new SessionError("counter-replayed", `invocation counter ${counter} was seen before, or is too old`);
        return plain;
      });
    },
  };
}

/** The protection of an association that has none. */
export const NO_PROTECTION: Protection = {
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
