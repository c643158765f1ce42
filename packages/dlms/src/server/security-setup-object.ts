import { NO_BYTES } from "../bytes.ts";
import type { Infer } from "../codec/codec.ts";
import { SecuritySetup, SecuritySetupV0 } from "../cosem/classes/security-setup.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import { SECURITY_SUITES } from "../security/suites.ts";
import type { Device, SecurityPolicy, SecuritySetupPort } from "./ports.ts";
import type { RequestContext } from "./request-context.ts";

type KeyTransfer = Infer<typeof SecuritySetup.methods.keyTransfer.parameter>;

const SUITE_NAMES = { 0: "suite0", 1: "suite1", 2: "suite2" } as const;

// security_policy, version 1: bits 2, 3, 5 and 6 of the octet.
const POLICY_BITS = {
  authenticatedRequest: 0x04,
  encryptedRequest: 0x08,
  authenticatedResponse: 0x20,
  encryptedResponse: 0x40,
} as const;

/**
 * Serves security setup, version 1, from the port of the same logical name: policy, suite, titles, key_transfer and
 * security_activate. Certificates and key agreement are not offered.
 */
export function serveSecuritySetup<State>(): ServedClass<State> {
  return SecuritySetup.serve<State>({
    get: {
      securityPolicy: (_, context) => policyNames(own(context).setup.policy),
      securitySuite: (_, context) => SUITE_NAMES[own(context).setup.suite],
      clientSystemTitle: (_, context) => clientTitle(context),
      serverSystemTitle: (_, context) => own(context).setup.systemTitle,
      certificates: () => [],
    },
    call: {
      securityActivate: (octet, _, context) => activate(own(context).setup, policyOf(octet)),
      keyTransfer: (keys, _, context) => transferKeys(own(context), keys),
    },
  });
}

/** Serves security setup, version 0: the same with the policy as one of four numbers. */
export function serveSecuritySetupV0<State>(): ServedClass<State> {
  return SecuritySetupV0.serve<State>({
    get: {
      securityPolicy: (_, context) => policyBeforeV1(own(context).setup.policy),
      securitySuite: (_, context) => SUITE_NAMES[own(context).setup.suite],
      clientSystemTitle: (_, context) => clientTitle(context),
      serverSystemTitle: (_, context) => own(context).setup.systemTitle,
    },
    call: {
      securityActivate: (number, _, context) => activate(own(context).setup, policyFromV0(number)),
      globalKeyTransfer: (keys, _, context) => transferKeys(own(context), keys),
    },
  });
}

/**
 * Unwraps the keys under the master key in force, all of them before the first one is installed: a key that does not
 * unwrap, has the wrong length or comes twice refuses the array.
 */
function transferKeys({ device, setup }: Own, keys: KeyTransfer): AccessRefusal | undefined {
  const { keyEncryptionKey } = setup.keys.current();
  const { keyBytes } = SECURITY_SUITES[setup.suite];
  if (new Set(keys.map(({ keyId }) => keyId)).size !== keys.length) return refuse("other-reason");
  const unwrapped = [];
  for (const { keyId, keyWrapped } of keys) {
    const octets = keyWrapped.length === keyBytes + 8 ? device.keyWrap.unwrap(keyEncryptionKey, keyWrapped) : undefined;
    if (octets === undefined) return refuse("other-reason");
    unwrapped.push({ purpose: keyId, octets });
  }
  return setup.keys.install(unwrapped) ? undefined : refuse("other-reason");
}

/** A policy may only be strengthened (Blue Book 4.4.7). */
function activate(setup: SecuritySetupPort<unknown>, wanted: SecurityPolicy | undefined): AccessRefusal | undefined {
  if (wanted === undefined || setup.activate === undefined) return refuse("other-reason");
  const weaker = POLICY_NAMES.some((name) => setup.policy[name] && !wanted[name]);
  return !weaker && setup.activate(wanted) ? undefined : refuse("other-reason");
}

const POLICY_NAMES = Object.keys(POLICY_BITS) as (keyof SecurityPolicy)[];

function policyNames(policy: SecurityPolicy): (keyof SecurityPolicy)[] {
  return POLICY_NAMES.filter((name) => policy[name]);
}

/** Undefined for bits that this server cannot live up to, signatures for instance. */
function policyOf(octet: number): SecurityPolicy | undefined {
  const known = POLICY_NAMES.reduce((bits, name) => bits | POLICY_BITS[name], 0);
  if ((octet & ~known) !== 0) return undefined;
  const has = (name: keyof SecurityPolicy) => (octet & POLICY_BITS[name]) !== 0;
  return {
    authenticatedRequest: has("authenticatedRequest"),
    encryptedRequest: has("encryptedRequest"),
    authenticatedResponse: has("authenticatedResponse"),
    encryptedResponse: has("encryptedResponse"),
  };
}

function policyFromV0(number: number): SecurityPolicy | undefined {
  if (number > 3) return undefined;
  const authenticated = (number & 1) !== 0;
  const encrypted = (number & 2) !== 0;
  return {
    authenticatedRequest: authenticated,
    encryptedRequest: encrypted,
    authenticatedResponse: authenticated,
    encryptedResponse: encrypted,
  };
}

function policyBeforeV1({ authenticatedRequest, encryptedRequest }: SecurityPolicy) {
  if (authenticatedRequest) return encryptedRequest ? "authenticatedAndEncrypted" : "authenticated";
  return encryptedRequest ? "encrypted" : "nothing";
}

interface Own {
  readonly device: Device<unknown>;
  readonly setup: SecuritySetupPort<unknown>;
}

function own(context: ServeContext): Own {
  // The server makes every context, and makes them of this class.
  const { device, logicalName } = context as RequestContext;
  const setup = device.securitySetup(logicalName);
  if (setup === undefined) throw new Error(`the meter has no security setup port for ${logicalName}`);
  return { device, setup };
}

function clientTitle(context: ServeContext): Uint8Array {
  const { agreement } = context as RequestContext;
  return agreement.clientSystemTitle ?? own(context).setup.clientSystemTitle ?? NO_BYTES;
}
