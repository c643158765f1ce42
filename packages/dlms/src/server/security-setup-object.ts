import { NO_BYTES } from "../bytes.ts";
import { decode, encode, type Infer } from "../codec/codec.ts";
import {
  certificateByEntity,
  certificateBySerial,
  SecuritySetup,
  SecuritySetupV0,
} from "../cosem/classes/security-setup.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import { d } from "../data/d.ts";
import type {
  CertificateIdentification,
  CertificateStore,
  Device,
  SecurityPolicy,
  SecuritySetupPort,
} from "./ports.ts";
import type { RequestContext } from "./request-context.ts";
import { agreeOnKeys, transferKeys } from "./security-setup-keys.ts";

const SUITE_NAMES = { 0: "suite0", 1: "suite1", 2: "suite2" } as const;

/** security_policy, version 1: bits 2 to 7 of the octet. */
const POLICY_BITS = {
  authenticatedRequest: 0x04,
  encryptedRequest: 0x08,
  signedRequest: 0x10,
  authenticatedResponse: 0x20,
  encryptedResponse: 0x40,
  signedResponse: 0x80,
} as const;
const RESERVED_BITS = 0x03;

/**
 * Serves security setup, version 1, from the port of the same logical name: policy, suite, titles, and the changes of
 * keys, key pairs and certificates that the port takes part in.
 */
export function serveSecuritySetup<State>(): ServedClass<State> {
  return SecuritySetup.serve<State>({
    get: {
      securityPolicy: (_, context) => policyNames(own(context).setup.policy),
      securitySuite: (_, context) => SUITE_NAMES[own(context).setup.suite],
      clientSystemTitle: (_, context) => clientTitle(context) ?? NO_BYTES,
      serverSystemTitle: (_, context) => own(context).setup.systemTitle,
      certificates: (_, context) => own(context).setup.certificates?.list() ?? [],
    },
    call: {
      securityActivate: (octet, _, context) => activate(own(context).setup, policyOf(octet, own(context).setup)),
      keyTransfer: (keys, _, context) => transferKeys(own(context).device, own(context).setup, keys),
      keyAgreement: (keys, _, context) => agreeOnKeys(own(context).setup, clientTitle(context), keys),
      generateKeyPair: (use, _, context) => accepted(store(context)?.generateKeyPair(use)),
      generateCertificateRequest: (use, _, context) => octets(store(context)?.certificateRequest(use)),
      importCertificate: (certificate, _, context) => accepted(store(context)?.import(certificate.slice())),
      exportCertificate: (which, _, context) => octets(store(context)?.export(identification(which))),
      removeCertificate: (which, _, context) => accepted(store(context)?.remove(identification(which))),
    },
  });
}

/** Serves security setup, version 0: the same with the policy as one of four numbers, and without key pairs. */
export function serveSecuritySetupV0<State>(): ServedClass<State> {
  return SecuritySetupV0.serve<State>({
    get: {
      securityPolicy: (_, context) => policyBeforeV1(own(context).setup.policy),
      securitySuite: (_, context) => SUITE_NAMES[own(context).setup.suite],
      clientSystemTitle: (_, context) => clientTitle(context) ?? NO_BYTES,
      serverSystemTitle: (_, context) => own(context).setup.systemTitle,
    },
    call: {
      securityActivate: (number, _, context) => activate(own(context).setup, policyFromV0(number)),
      globalKeyTransfer: (keys, _, context) => transferKeys(own(context).device, own(context).setup, keys),
    },
  });
}

/** A policy may only be strengthened (Blue Book 4.4.7). */
function activate(setup: SecuritySetupPort<unknown>, wanted: SecurityPolicy | undefined): AccessRefusal | undefined {
  if (wanted === undefined || setup.activate === undefined) return refuse("other-reason");
  const weaker = POLICY_NAMES.some((name) => setup.policy[name] === true && wanted[name] !== true);
  return accepted(!weaker && setup.activate(wanted));
}

const POLICY_NAMES = Object.keys(POLICY_BITS) as (keyof typeof POLICY_BITS)[];

function policyNames(policy: SecurityPolicy): (keyof typeof POLICY_BITS)[] {
  return POLICY_NAMES.filter((name) => policy[name] === true);
}

/** Undefined for bits that mean nothing, or that this meter cannot live up to: signatures without key pairs. */
function policyOf(octet: number, { general }: SecuritySetupPort<unknown>): SecurityPolicy | undefined {
  const signatures = POLICY_BITS.signedRequest | POLICY_BITS.signedResponse;
  if ((octet & RESERVED_BITS) !== 0 || (general === undefined && (octet & signatures) !== 0)) return undefined;
  const has = (name: keyof typeof POLICY_BITS) => (octet & POLICY_BITS[name]) !== 0;
  return {
    authenticatedRequest: has("authenticatedRequest"),
    encryptedRequest: has("encryptedRequest"),
    signedRequest: has("signedRequest"),
    authenticatedResponse: has("authenticatedResponse"),
    encryptedResponse: has("encryptedResponse"),
    signedResponse: has("signedResponse"),
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

function identification({
  kind,
  options,
}: Infer<typeof SecuritySetup.methods.removeCertificate.parameter>): CertificateIdentification {
  const encoded = encode(d.any, options);
  return kind === "byEntity"
    ? { kind, ...decode(certificateByEntity, encoded) }
    : { kind, ...decode(certificateBySerial, encoded) };
}

function accepted(done: boolean | undefined): AccessRefusal | undefined {
  return done === true ? undefined : refuse("other-reason");
}

function octets(made: Uint8Array | undefined): Uint8Array | AccessRefusal {
  return made ?? refuse("other-reason");
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

function store(context: ServeContext): CertificateStore | undefined {
  return own(context).setup.certificates;
}

function clientTitle(context: ServeContext) {
  const { agreement } = context as RequestContext;
  return agreement.clientSystemTitle ?? own(context).setup.clientSystemTitle;
}
