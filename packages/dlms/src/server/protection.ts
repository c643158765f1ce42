import { DlmsError } from "../errors.ts";
import type { ProtectionKeys, Unprotected } from "../security/content.ts";
import { securityControl } from "../security/control.ts";
import { type ProtectedApdu, parseProtectedApdu, protectApdu, unprotectApdu } from "../security/envelope.ts";
import type { Ciphers } from "../security/ports.ts";
import { MAX_INVOCATION_COUNTER } from "../security/suites.ts";
import type { ProtectionForm } from "../security/tags.ts";
import type { AssociationSecurity, RequestProtection } from "./connection.ts";
import { RequestRefused } from "./exception.ts";
import type { SecurityPolicy } from "./ports.ts";
import type { Agreement } from "./request-context.ts";

/** A request as it came out of its protection. */
export interface OpenedRequest {
  readonly plain: Uint8Array;
  readonly protection: RequestProtection;
}

/**
 * Verifies and deciphers a request.
 *
 * The order is the point: authenticity first, then the policy, then the counter. A stranger learns nothing from which
 * of the first two failed, and where the policy wants authentication nobody without the keys moves the counter.
 *
 * @throws RequestRefused
 */
export function openRequest<Key>(
  ciphers: Ciphers<Key>,
  security: AssociationSecurity<Key>,
  agreement: Pick<Agreement, "clientSystemTitle">,
  apdu: Uint8Array,
): OpenedRequest {
  const { setup } = security;
  const parsed = parseProtectedApdu(apdu);
  const opened = unprotect(ciphers, security, agreement, parsed);
  const { control, counter } = opened;
  if (control.suite !== setup.suite || control.broadcast) throw new RequestRefused("not-authentic");
  const facts = { form: parsed.form, authenticated: opened.tag === "verified", encrypted: control.encrypted };
  requirePolicy(setup.policy, facts);
  const lowestBefore = acceptCounter(security, parsed.form, counter);
  return { plain: opened.plain, protection: { ...facts, lowestBefore } };
}

/** @throws RequestRefused when a request has less protection than the policy asks for. */
export function requirePolicy(
  policy: SecurityPolicy,
  { authenticated, encrypted }: Pick<RequestProtection, "authenticated" | "encrypted">,
): void {
  if ((policy.authenticatedRequest && !authenticated) || (policy.encryptedRequest && !encrypted))
    throw new RequestRefused("not-protected-enough");
}

/** Protects a response in the form of its request, at least as well as the request and as the policy asks. */
export function sealResponse<Key>(
  ciphers: Ciphers<Key>,
  security: AssociationSecurity<Key>,
  request: RequestProtection,
  plain: Uint8Array,
): Uint8Array {
  const { setup } = security;
  const { policy } = setup;
  const authenticated = request.authenticated || policy.authenticatedResponse;
  const encrypted = request.encrypted || policy.encryptedResponse;
  if (request.form === undefined && !authenticated && !encrypted) return plain;
  const form = request.form ?? "global";
  const control = securityControl({ suite: setup.suite, authenticated, encrypted });
  const header = { form, control, originator: setup.systemTitle, counter: setup.counters.next() };
  return protectApdu(ciphers, keysFor(security, form), header, plain);
}

/** The keys of a protection form. */
export function keysFor<Key>(security: AssociationSecurity<Key>, form: ProtectionForm): ProtectionKeys<Key> {
  const { globalUnicastEncryptionKey, authenticationKey } = security.keys;
  if (form === "global" || form === "general-global")
    return { encryption: globalUnicastEncryptionKey, authentication: authenticationKey };
  // A form of the dedicated key without one is as good as a wrong key.
  if (security.dedicated === undefined) throw new RequestRefused("not-authentic");
  return { encryption: security.dedicated.key, authentication: authenticationKey };
}

/** Octets that protection in `form` adds to a plain APDU, at most. */
export function protectionOverheadBytes(form: ProtectionForm | undefined): number {
  const contentBytes = 5 + 12;
  const lengthBytes = 3;
  if (form === undefined) return 0;
  const named = form === "general-global" || form === "general-dedicated";
  // The service-specific tag takes the place of nothing: the plain tag stays inside.
  return 1 + lengthBytes + contentBytes + (named ? 9 : 0);
}

function unprotect<Key>(
  ciphers: Ciphers<Key>,
  security: AssociationSecurity<Key>,
  { clientSystemTitle }: Pick<Agreement, "clientSystemTitle">,
  parsed: ProtectedApdu,
): Unprotected {
  try {
    return unprotectApdu(ciphers, keysFor(security, parsed.form), parsed, clientSystemTitle);
  } catch (error) {
    if (error instanceof DlmsError) throw new RequestRefused("not-authentic");
    throw error;
  }
}

/** @returns the lowest counter that was acceptable before. @throws RequestRefused `counter-too-low` */
function acceptCounter<Key>(security: AssociationSecurity<Key>, form: ProtectionForm, counter: number): number {
  const dedicated = form === "dedicated" || form === "general-dedicated" ? security.dedicated : undefined;
  const { counters } = security.setup;
  const lowest = dedicated?.lowestAcceptable ?? counters.lowestAcceptable();
  if (counter < lowest || counter >= MAX_INVOCATION_COUNTER) throw new RequestRefused("counter-too-low", lowest);
  if (dedicated === undefined) counters.accept(counter);
  else dedicated.lowestAcceptable = counter + 1;
  return lowest;
}
