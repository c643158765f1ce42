import { acseApdu } from "../acse/acse-apdu.ts";
import { type Aare, type Aarq, aarq } from "../acse/association.ts";
import { equalBytes } from "../bytes.ts";
import { encode } from "../codec/codec.ts";
import { decodeApdu } from "../cosem/service-octets.ts";
import { CHALLENGE_BYTES } from "../security/hls.ts";
import { SECURITY_SUITES } from "../security/suites.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";
import { apdu as anyApdu } from "../xdlms/apdu.ts";
import { intersectConformance } from "../xdlms/conformance.ts";
import { DLMS_VERSION, type InitiateRequest, initiateRequest, VAA_NAME_LN } from "../xdlms/initiate.ts";
import { ASSOCIATION_BASE_NAME, applicationContext } from "../xdlms/referencing.ts";
import { type AssociationDefinition, type AssociationModel, referencingOf } from "./association-model.ts";
import {
  type Association,
  type AssociationSecurity,
  type DedicatedKey,
  type RequestProtection,
  type Standing,
  UNPROTECTED,
} from "./connection.ts";
import { RequestRefused } from "./exception.ts";
import { DEFAULT_MAX_RECEIVE_PDU_BYTES, offeredConformance } from "./offer.ts";
import type { Device, SecuritySetupPort } from "./ports.ts";
import { openRequest, requirePolicy, sealResponse } from "./protection.ts";

const INITIATE_REQUEST_TAG = 0x01;
/** Green Book 9.4.6.3: below this the client is told pdu-size-too-short; 0 is no limit. */
const LEAST_PDU_BYTES = 12;
const CHALLENGE = 16;

/** What an AARQ led to. */
export interface AssociateOutcome<Key> {
  readonly response: Uint8Array;
  readonly standing: Standing<Key>;
  /** Why it was rejected; undefined when it was not. */
  readonly rejected?: string;
}

type UserDiagnostic = Extract<Aare["diagnostic"], { kind: "acse-service-user" }>["value"];

/**
 * Answers an AARQ (Green Book 9.4.2). An AARQ on a line that has an association ends that one.
 *
 * @throws RequestRefused when the AARQ has to be answered with an exception: it was not authentic, for instance.
 */
export function associate<Key, State>(
  device: Device<Key, State>,
  model: AssociationModel<State>,
  octets: Uint8Array,
): AssociateOutcome<Key> {
  const { definition } = model;
  const request = decodeApdu(aarq, octets);
  const setup = definition.securitySetup === undefined ? undefined : device.securitySetup(definition.securitySetup);
  const reject = (diagnostic: UserDiagnostic) => rejection(request, diagnostic);
  if (!contextIsOffered(definition, request, setup)) return reject("application-context-name-not-supported");
  const objection = objectToAuthentication(device, definition, request);
  if (objection !== undefined) return reject(objection);
  const ciphered = isCiphered(definition, request);
  const title = request.callingApTitle?.length === 8 ? systemTitle(request.callingApTitle.slice()) : undefined;
  const needsTitle = ciphered || definition.authentication.kind === "gmac";
  // Who bears our title could send us back what we have sealed ourselves.
  const ours = title !== undefined && setup !== undefined && equalBytes(title, setup.systemTitle);
  if (ours || (needsTitle && title === undefined)) return reject("calling-AP-title-not-recognized");
  const security: AssociationSecurity<Key> | undefined =
    setup === undefined ? undefined : { setup, keys: setup.keys.current(), dedicated: undefined, changedKeys: false };
  const initiate = openInitiate(device, ciphered ? security : undefined, title, request);
  const unacceptable = judgeInitiate(initiate.request, definition);
  if (unacceptable !== undefined)
    return rejection(request, "no-reason-given", encode(anyApdu, initiateError(unacceptable)), unacceptable);
  const dedicated = dedicatedKey(device, setup, ciphered, initiate.request);
  return accept(device, definition, request, initiate, title, security && { ...security, dedicated });
}

/** An InitiateRequest and how it was protected. */
interface OpenedInitiate {
  readonly request: InitiateRequest;
  readonly protection: RequestProtection;
}

function isCiphered(definition: AssociationDefinition, { applicationContextName }: Aarq): boolean {
  return applicationContextName === applicationContext(referencingOf(definition), true);
}

function contextIsOffered(
  definition: AssociationDefinition,
  request: Aarq,
  setup: SecuritySetupPort<unknown> | undefined,
): boolean {
  if (isCiphered(definition, request)) return setup !== undefined;
  if (request.applicationContextName !== applicationContext(referencingOf(definition), false)) return false;
  // A client must not talk itself out of a protection that the policy demands.
  return setup === undefined || !(setup.policy.authenticatedRequest || setup.policy.encryptedRequest);
}

function objectToAuthentication<Key, State>(
  device: Device<Key, State>,
  { name, authentication }: AssociationDefinition,
  { mechanismName, callingAuthenticationValue: value }: Aarq,
): UserDiagnostic | undefined {
  const offered = mechanismName ?? "lowest";
  const wanted = ({ none: "lowest", lls: "low", gmac: "high-gmac" } as const)[authentication.kind];
  if (offered !== wanted)
    return offered === "lowest"
      ? "authentication-mechanism-name-required"
      : "authentication-mechanism-name-not-recognised";
  if (authentication.kind === "none") return undefined;
  if (value === undefined) return "authentication-failure";
  if (authentication.kind === "lls") return device.checkPassword(name, value) ? undefined : "authentication-failure";
  const fits = value.length >= CHALLENGE_BYTES.least && value.length <= CHALLENGE_BYTES.most;
  return fits ? undefined : "authentication-failure";
}

function openInitiate<Key, State>(
  device: Device<Key, State>,
  security: AssociationSecurity<Key> | undefined,
  clientSystemTitle: SystemTitle | undefined,
  { userInformation }: Aarq,
): OpenedInitiate {
  if (userInformation === undefined) throw new RequestRefused("not-decodable");
  if (userInformation[0] === INITIATE_REQUEST_TAG) {
    if (security !== undefined) requirePolicy(security.setup.policy, UNPROTECTED);
    return { request: decodeApdu(initiateRequest, userInformation), protection: UNPROTECTED };
  }
  if (security === undefined) throw new RequestRefused("not-authentic");
  const { plain, protection } = openRequest(device.ciphers, security, { clientSystemTitle }, userInformation);
  if (plain[0] !== INITIATE_REQUEST_TAG) throw new RequestRefused("not-decodable");
  return { request: decodeApdu(initiateRequest, plain), protection };
}

type InitiateObjection = "dlms-version-too-low" | "pdu-size-too-short" | "incompatible-conformance";

function judgeInitiate(request: InitiateRequest, definition: AssociationDefinition): InitiateObjection | undefined {
  if (request.proposedDlmsVersionNumber < DLMS_VERSION) return "dlms-version-too-low";
  const size = request.clientMaxReceivePduSize;
  if (size !== 0 && size < LEAST_PDU_BYTES) return "pdu-size-too-short";
  return agreedConformance(request, definition).length === 0 ? "incompatible-conformance" : undefined;
}

function agreedConformance(request: InitiateRequest, definition: AssociationDefinition) {
  return intersectConformance(offeredConformance(definition), request.proposedConformance);
}

function initiateError(value: InitiateObjection) {
  return {
    kind: "confirmed-service-error",
    value: { kind: "initiate-error", value: { kind: "initiate", value } },
  } as const;
}

function dedicatedKey<Key, State>(
  device: Device<Key, State>,
  setup: SecuritySetupPort<Key> | undefined,
  ciphered: boolean,
  { dedicatedKey: octets }: InitiateRequest,
): DedicatedKey<Key> | undefined {
  if (octets === undefined || setup === undefined || !ciphered) return undefined;
  if (octets.length !== SECURITY_SUITES[setup.suite].keyBytes) throw new RequestRefused("not-decodable");
  return { key: device.importKey(octets.slice()), lowestAcceptable: 0 };
}

function accept<Key, State>(
  device: Device<Key, State>,
  definition: AssociationDefinition,
  request: Aarq,
  { request: initiate, protection }: OpenedInitiate,
  clientSystemTitle: SystemTitle | undefined,
  security: AssociationSecurity<Key> | undefined,
): AssociateOutcome<Key> {
  const ciphered = isCiphered(definition, request);
  const conformance = agreedConformance(initiate, definition);
  const maxReceivePduSize = definition.maxReceivePduSize ?? DEFAULT_MAX_RECEIVE_PDU_BYTES;
  const size = initiate.clientMaxReceivePduSize;
  const association: Association<Key> = {
    agreement: {
      conformance,
      maxReceivePduSize,
      maxSendPduSize: size === 0 ? undefined : size,
      ciphered,
      clientSystemTitle,
    },
    security,
  };
  const initiateResponse = encode(anyApdu, {
    kind: "initiate-response",
    value: {
      negotiatedDlmsVersionNumber: DLMS_VERSION,
      negotiatedConformance: conformance,
      serverMaxReceivePduSize: maxReceivePduSize,
      vaaName: vaaNameOf(definition),
    },
  });
  const userInformation =
    ciphered && security !== undefined
      ? sealResponse(device.ciphers, security, protection, initiateResponse)
      : initiateResponse;
  const common = {
    applicationContextName: request.applicationContextName,
    result: "accepted",
    userInformation,
  } as const;
  const title =
    security === undefined || clientSystemTitle === undefined ? {} : { respondingApTitle: security.setup.systemTitle };
  if (definition.authentication.kind !== "gmac") {
    const diagnostic = { kind: "acse-service-user", value: "null" } as const;
    return {
      response: encode(acseApdu, { kind: "aare", value: { ...common, ...title, diagnostic } }),
      standing: { kind: "associated", association, transfer: undefined },
    };
  }
  const serverChallenge = device.random(CHALLENGE);
  return {
    response: encode(acseApdu, {
      kind: "aare",
      value: {
        ...common,
        ...title,
        diagnostic: { kind: "acse-service-user", value: "authentication-required" },
        responderAcseRequirements: true,
        mechanismName: "high-gmac",
        respondingAuthenticationValue: serverChallenge,
      },
    }),
    standing: {
      kind: "authenticating",
      association,
      // Copied: the request's octets belong to the line.
      clientChallenge: (request.callingAuthenticationValue as Uint8Array).slice(),
      serverChallenge,
    },
  };
}

/** What the InitiateResponse names the association by. */
export function vaaNameOf(definition: AssociationDefinition): number {
  return referencingOf(definition) === "short-name" ? ASSOCIATION_BASE_NAME : VAA_NAME_LN;
}

function rejection(
  { applicationContextName }: Aarq,
  diagnostic: UserDiagnostic,
  userInformation?: Uint8Array,
  rejected = String(diagnostic),
): AssociateOutcome<never> {
  const refused: Aare = {
    applicationContextName,
    result: "rejected-permanent",
    diagnostic: { kind: "acse-service-user", value: diagnostic },
    ...(userInformation === undefined ? {} : { userInformation }),
  };
  return { response: encode(acseApdu, { kind: "aare", value: refused }), standing: { kind: "idle" }, rejected };
}
