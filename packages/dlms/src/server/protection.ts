import { NO_BYTES } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import type { ProtectionKeys } from "../security/content.ts";
import { securityControl } from "../security/control.ts";
import { protectApdu } from "../security/envelope.ts";
import { sealGeneralCiphering } from "../security/general-ciphering.ts";
import {
  type CipheringFacts,
  type CipheringForm,
  type LayerKeys,
  type OpenedApdu,
  openLayers,
  signLayer,
} from "../security/layers.ts";
import type { GeneralSetup } from "../security/message-key.ts";
import type { Ciphers } from "../security/ports.ts";
import { STANDARD_SECURITY } from "../security/profile.ts";
import { MAX_INVOCATION_COUNTER, SECURITY_SUITES } from "../security/suites.ts";
import type { ProtectionForm } from "../security/tags.ts";
import type { SystemTitle } from "../system-title.ts";
import type { Agreement } from "./agreement.ts";
import type { AssociationSecurity, RequestProtection } from "./connection.ts";
import { RequestRefused } from "./exception.ts";
import type { InvocationCounters, SecurityPolicy } from "./ports.ts";

type Client = Pick<Agreement, "clientSystemTitle">;

/**
 * What makes, proves and releases an association goes under the service-specific forms, which have no place for
 * signatures: policies ask for these once it stands.
 */
export type AssociationStage = "associating" | "associated";

/** A request as it came out of its protection. */
export interface OpenedRequest {
  readonly plain: Uint8Array;
  readonly protection: RequestProtection;
}

/**
 * Verifies and deciphers a request, every layer of it.
 *
 * The order is the point: authenticity first, then the policy, then the counter. A stranger learns nothing from which
 * of the first two failed, and where the policy wants authentication nobody without the keys moves the counter.
 *
 * @throws RequestRefused
 */
export function openRequest<Key>(
  ciphers: Ciphers<Key>,
  security: AssociationSecurity<Key>,
  client: Client,
  apdu: Uint8Array,
  stage: AssociationStage = "associated",
): OpenedRequest {
  const { setup } = security;
  const { plain, ciphering, signed, transactionId } = unprotect(ciphers, security, client, apdu);
  if (ciphering !== undefined && ciphering.control.suite !== setup.suite) throw new RequestRefused("not-authentic");
  const facts = {
    form: ciphering?.form,
    source: ciphering?.source,
    authenticated: ciphering?.tag === "verified",
    encrypted: ciphering?.control.encrypted === true,
    signed,
    transactionId,
  };
  requirePolicy(setup.policy, facts, stage);
  const lowestBefore = acceptAsNew(security, client, ciphering, transactionId);
  return { plain, protection: { ...facts, lowestBefore } };
}

/** @throws RequestRefused when a request has less protection than the policy asks for. */
export function requirePolicy(
  policy: SecurityPolicy,
  { authenticated, encrypted, signed }: Pick<RequestProtection, "authenticated" | "encrypted" | "signed">,
  stage: AssociationStage = "associated",
): void {
  if (
    (policy.authenticatedRequest && !authenticated) ||
    (policy.encryptedRequest && !encrypted) ||
    (policy.signedRequest === true && !signed && stage === "associated")
  )
    throw new RequestRefused("not-protected-enough");
}

/** Protects a response in the form of its request, at least as well as the request and as the policy asks. */
export function sealResponse<Key>(
  ciphers: Ciphers<Key>,
  security: AssociationSecurity<Key>,
  client: Client,
  request: RequestProtection,
  plain: Uint8Array,
  stage: AssociationStage = "associated",
): Uint8Array {
  const { setup } = security;
  const { authenticated, encrypted, signed } = responseProtection(setup.policy, request, stage);
  const header = {
    transactionId: request.transactionId ?? NO_BYTES,
    originator: setup.systemTitle,
    recipient: client.clientSystemTitle,
    dateTime: NO_BYTES,
    otherInformation: NO_BYTES,
  };
  const text = signed ? signLayer(generalSetup(security, client.clientSystemTitle), header, plain) : plain;
  if (!authenticated && !encrypted) return text;
  const form = responseForm(request.form, signed);
  const control = securityControl({ suite: setup.suite, authenticated, encrypted });
  const counter = setup.counters.next();
  if (form === "general-ciphering") {
    const general = generalSetup(security, client.clientSystemTitle);
    // What was broadcast is answered to its sender alone.
    const source = request.source === "broadcast" ? "unicast" : request.source;
    return sealGeneralCiphering(general, { ...header, control, counter, source }, text);
  }
  const keys = keysFor(security, form);
  return protectApdu(ciphers, keys, { form, control, originator: setup.systemTitle, counter }, text);
}

function responseProtection(
  policy: SecurityPolicy,
  request: RequestProtection,
  stage: AssociationStage = "associated",
) {
  return {
    authenticated: request.authenticated || policy.authenticatedResponse,
    encrypted: request.encrypted || policy.encryptedResponse,
    signed: request.signed || (policy.signedResponse === true && stage === "associated"),
  };
}

/** A signed APDU has no tag of its own under the service-specific forms. */
function responseForm(form: CipheringForm = "global", signed: boolean): CipheringForm {
  if (!signed) return form;
  return form === "global" ? "general-global" : form === "dedicated" ? "general-dedicated" : form;
}

/** The keys of a protection form. */
export function keysFor<Key>(security: AssociationSecurity<Key>, form: ProtectionForm): ProtectionKeys<Key> {
  const { globalUnicastEncryptionKey, globalBroadcastEncryptionKey, authenticationKey } = security.keys;
  if (form === "global" || form === "general-global")
    return {
      encryption: globalUnicastEncryptionKey,
      broadcast: security.setup.broadcastCounters === undefined ? undefined : globalBroadcastEncryptionKey,
      authentication: authenticationKey,
    };
  // A form of the dedicated key without one is as good as a wrong key.
  if (security.dedicated === undefined) throw new RequestRefused("not-authentic");
  return { encryption: security.dedicated.key, authentication: authenticationKey };
}

/** Octets that the protection of a response adds to a plain APDU, at most. */
export function protectionOverheadBytes<Key>({ setup }: AssociationSecurity<Key>, request: RequestProtection): number {
  const contentBytes = 5 + 12;
  const lengthBytes = 3;
  const titleBytes = 9;
  const { signatureBytes } = SECURITY_SUITES[setup.suite];
  const headerBytes = 1 + (request.transactionId?.length ?? 0) + 2 * titleBytes + 2;
  const signed = responseProtection(setup.policy, request).signed;
  const signing = signed ? 1 + headerBytes + lengthBytes + lengthBytes + signatureBytes : 0;
  const form = responseForm(request.form, signed);
  // The service-specific tag takes the place of nothing: the plain tag stays inside.
  const ciphering = 1 + lengthBytes + contentBytes;
  if (form === "general-ciphering") {
    const keyInfoBytes = 8 + Math.max(2 * signatureBytes, SECURITY_SUITES[setup.suite].keyBytes + 8);
    return signing + ciphering + headerBytes + keyInfoBytes;
  }
  const named = form === "general-global" || form === "general-dedicated";
  return signing + ciphering + (named ? titleBytes : 0);
}

/** Opens, and says of whatever goes wrong no more than that it is not authentic. */
function unprotect<Key>(
  ciphers: Ciphers<Key>,
  security: AssociationSecurity<Key>,
  { clientSystemTitle }: Client,
  apdu: Uint8Array,
): OpenedApdu {
  const keys: LayerKeys<Key> = {
    ciphers,
    keysFor: (form) => keysFor(security, form),
    general: () => generalSetup(security, clientSystemTitle),
  };
  try {
    return openLayers(keys, { originator: clientSystemTitle, recipient: security.setup.systemTitle }, apdu);
  } catch (error) {
    if (error instanceof DlmsError) throw new RequestRefused("not-authentic", 0, error);
    throw error;
  }
}

/** @throws RequestRefused `not-authentic` where the meter has no general protection */
function generalSetup<Key>(security: AssociationSecurity<Key>, client: SystemTitle | undefined): GeneralSetup<Key> {
  const { setup, keys } = security;
  if (setup.general === undefined) throw new RequestRefused("not-authentic");
  const { platform, profile = STANDARD_SECURITY } = setup.general;
  return {
    platform,
    suite: setup.suite,
    profile,
    keys: { ...keysFor(security, "global"), keyEncryption: keys.keyEncryptionKey, ...setup.general.keysFor(client) },
  };
}

/**
 * Judges whether the request is new: by the counter of the key that was used, or by the transaction id where the key
 * was made for it alone, or where it is only signed.
 *
 * @returns the lowest counter that was acceptable before. @throws RequestRefused `counter-too-low`, `not-authentic`
 */
function acceptAsNew<Key>(
  { setup, dedicated }: AssociationSecurity<Key>,
  { clientSystemTitle }: Client,
  ciphering: CipheringFacts | undefined,
  transactionId: Uint8Array | undefined,
): number {
  const fresh = ciphering === undefined || isFreshKey(ciphering);
  if (fresh) {
    const isNew = transactionId !== undefined && setup.general?.acceptTransaction(clientSystemTitle, transactionId);
    if (isNew !== true) throw new RequestRefused("not-authentic");
    return setup.counters.lowestAcceptable();
  }
  const counters = countersOf(setup, dedicated, ciphering);
  const { counter } = ciphering;
  const lowest = counters.lowestAcceptable();
  if (counter < lowest || counter >= MAX_INVOCATION_COUNTER) throw new RequestRefused("counter-too-low", lowest);
  counters.accept(counter);
  return lowest;
}

function isFreshKey({ source }: CipheringFacts): boolean {
  return source !== undefined && source !== "unicast" && source !== "broadcast";
}

function countersOf<Key>(
  setup: AssociationSecurity<Key>["setup"],
  dedicated: AssociationSecurity<Key>["dedicated"],
  { form, control, source }: CipheringFacts,
): Pick<InvocationCounters, "lowestAcceptable" | "accept"> {
  if (control.broadcast || source === "broadcast") {
    if (setup.broadcastCounters === undefined) throw new RequestRefused("not-authentic");
    return setup.broadcastCounters;
  }
  if (dedicated === undefined || (form !== "dedicated" && form !== "general-dedicated")) return setup.counters;
  return {
    lowestAcceptable: () => dedicated.lowestAcceptable,
    accept: (counter) => {
      dedicated.lowestAcceptable = counter + 1;
    },
  };
}
