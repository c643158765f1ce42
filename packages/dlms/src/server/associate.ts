import { acseApdu } from "../acse/acse-apdu.ts";
import { type Aare, type Aarq, aarq, type Diagnostic } from "../acse/association.ts";
import { equalBytes, NO_BYTES } from "../bytes.ts";
import { encode } from "../codec/codec.ts";
import { decodeApdu } from "../cosem/service-octets.ts";
import { DlmsError } from "../errors.ts";
import { challengeObjection } from "../security/challenge.ts";
import type { HlsMechanism } from "../security/hls-mechanisms.ts";
import { STANDARD_SECURITY } from "../security/profile.ts";
import { SECURITY_SUITES } from "../security/suites.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";
import { apdu as anyApdu } from "../xdlms/apdu.ts";
import { intersectConformance } from "../xdlms/conformance.ts";
import { DLMS_VERSION, type InitiateRequest, initiateRequest, VAA_NAME_LN } from "../xdlms/initiate.ts";
import { ASSOCIATION_BASE_NAME, applicationContext } from "../xdlms/referencing.ts";
import { type AssociationDefinition, type AssociationModel, mechanismOf, referencingOf } from "./association-model.ts";
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
/** Octets of our challenges; with mechanism 7 at least 32 are asked for. */
const CHALLENGE_BYTES = 16;
const SIGNED_CHALLENGE_BYTES = 32;

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
  const reject = (diagnostic: UserDiagnostic) => rejection(request, user(diagnostic));
  if (request.protocolVersion === false)
    return rejection(request, { kind: "acse-service-provider", value: "no-common-acse-version" });
  if (!contextIsOffered(definition, request, setup)) return reject("application-context-name-not-supported");
  const objection = objectToAuthentication(device, definition, request);
  if (objection !== undefined) return reject(objection);
  const partners = objectToPartners(device, definition, request, setup);
  if (partners !== undefined) return reject(partners);
  const ciphered = isCiphered(definition, request);
  const title = titleIn(request.callingApTitle);
  const security: AssociationSecurity<Key> | undefined =
    setup === undefined ? undefined : { setup, keys: setup.keys.current(), dedicated: undefined, changedKeys: false };
  const initiate = openInitiate(device, ciphered ? security : undefined, title, request);
  const unacceptable = judgeInitiate(initiate.request, definition);
  if (unacceptable !== undefined)
    return rejection(request, user("no-reason-given"), encode(anyApdu, initiateError(unacceptable)), unacceptable);
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
  const wanted = mechanismOf(authentication);
  if (offered !== wanted)
    return offered === "lowest"
      ? "authentication-mechanism-name-required"
      : "authentication-mechanism-name-not-recognised";
  if (authentication.kind === "none") return undefined;
  if (value === undefined) return "authentication-failure";
  if (authentication.kind === "lls") return device.checkPassword(name, value) ? undefined : "authentication-failure";
  // A meter's proof comes second and a client's challenge meets its own: what it looks like does not matter here.
  const profile = { ...(device.securityProfile ?? STANDARD_SECURITY), refuseApduChallenges: false };
  const objection = challengeObjection(profile, wanted, value, NO_BYTES);
  return objection === undefined ? undefined : "authentication-failure";
}

/** What the AARQ says of both sides: system titles, and which user of the client it is. */
function objectToPartners<Key, State>(
  device: Device<Key, State>,
  definition: AssociationDefinition,
  request: Aarq,
  setup: SecuritySetupPort<Key> | undefined,
): UserDiagnostic | undefined {
  const { name, authentication } = definition;
  const title = titleIn(request.callingApTitle);
  const called = titleIn(request.calledApTitle);
  const byTitle = authentication.kind === "hls" && TITLED_MECHANISMS.includes(authentication.mechanism);
  const needsTitle = isCiphered(definition, request) || authentication.kind === "gmac" || byTitle;
  // Who bears our title could send us back what we have sealed ourselves.
  const ours = title !== undefined && setup !== undefined && equalBytes(title, setup.systemTitle);
  if (ours || (needsTitle && title === undefined)) return "calling-AP-title-not-recognized";
  if (called !== undefined && setup !== undefined && !equalBytes(called, setup.systemTitle))
    return "called-AP-title-not-recognized";
  const users = device.associationEdits?.users(name) ?? [];
  const known = users.length === 0 || users.some(({ userId }) => userId === request.callingAeInvocationId);
  return known ? undefined : "calling-AE-invocation-identifier-not-recognized";
}

const TITLED_MECHANISMS: readonly HlsMechanism["name"][] = ["high-sha256", "high-ecdsa"];

function titleIn(octets: Uint8Array | undefined): SystemTitle | undefined {
  return octets?.length === 8 ? systemTitle(octets.slice()) : undefined;
}

function openInitiate<Key, State>(
  device: Device<Key, State>,
  security: AssociationSecurity<Key> | undefined,
  clientSystemTitle: SystemTitle | undefined,
  { userInformation }: Aarq,
): OpenedInitiate {
  if (userInformation === undefined) throw new RequestRefused("not-decodable");
  if (userInformation[0] === INITIATE_REQUEST_TAG) {
    if (security !== undefined) requirePolicy(security.setup.policy, UNPROTECTED, "associating");
    return { request: decodeApdu(initiateRequest, userInformation), protection: UNPROTECTED };
  }
  if (security === undefined) throw new RequestRefused("not-authentic");
  const { plain, protection } = openRequest(
    device.ciphers,
    security,
    { clientSystemTitle },
    userInformation,
    "associating",
  );
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
      userId: request.callingAeInvocationId,
    },
    security,
  };
  const initiateResponse = encode(anyApdu, {
    kind: "initiate-response",
    value: {
      ...(initiate.proposedQualityOfService === undefined
        ? {}
        : { negotiatedQualityOfService: initiate.proposedQualityOfService }),
      negotiatedDlmsVersionNumber: DLMS_VERSION,
      negotiatedConformance: conformance,
      serverMaxReceivePduSize: maxReceivePduSize,
      vaaName: vaaNameOf(definition),
    },
  });
  const userInformation =
    ciphered && security !== undefined
      ? sealResponse(device.ciphers, security, association.agreement, protection, initiateResponse, "associating")
      : initiateResponse;
  const common = {
    applicationContextName: request.applicationContextName,
    result: "accepted",
    userInformation,
  } as const;
  const title =
    security === undefined || clientSystemTitle === undefined ? {} : { respondingApTitle: security.setup.systemTitle };
  const { authentication } = definition;
  if (authentication.kind === "none" || authentication.kind === "lls") {
    return {
      response: encode(acseApdu, { kind: "aare", value: { ...common, ...title, diagnostic: user("null") } }),
      standing: { kind: "associated", association, transfer: undefined },
    };
  }
  const mechanism = authentication.kind === "hls" ? device.hlsMechanism?.(definition.name) : undefined;
  if (authentication.kind === "hls" && mechanism?.name !== authentication.mechanism)
    throw new DlmsError("key-missing", `the meter has no "${authentication.mechanism}" for ${definition.name}`);
  const clientChallenge = (request.callingAuthenticationValue as Uint8Array).slice();
  const serverChallenge = freshChallenge(device, mechanism, clientChallenge);
  const certificate = security?.setup.certificates?.ownSigning();
  const sendsCertificate = mechanism?.name === "high-ecdsa" && certificate !== undefined;
  return {
    response: encode(acseApdu, {
      kind: "aare",
      value: {
        ...common,
        ...title,
        ...(sendsCertificate ? { respondingAeQualifier: certificate } : {}),
        diagnostic: user("authentication-required"),
        responderAcseRequirements: true,
        mechanismName: mechanismOf(authentication),
        respondingAuthenticationValue: serverChallenge,
      },
    }),
    standing: {
      kind: "authenticating",
      association,
      mechanism,
      clientChallenge,
      clientCertificate: request.callingAeQualifier?.slice(),
      serverChallenge,
    },
  };
}

/** A challenge that is not the client's: a source that repeats itself must not make both alike. */
function freshChallenge<Key, State>(
  device: Device<Key, State>,
  mechanism: HlsMechanism | undefined,
  clientChallenge: Uint8Array,
): Uint8Array {
  const bytes = mechanism?.name === "high-ecdsa" ? SIGNED_CHALLENGE_BYTES : CHALLENGE_BYTES;
  const challenge = device.random(bytes);
  if (equalBytes(challenge, clientChallenge)) throw new RequestRefused("failed");
  return challenge;
}

/** What the InitiateResponse names the association by. */
export function vaaNameOf(definition: AssociationDefinition): number {
  return referencingOf(definition) === "short-name" ? ASSOCIATION_BASE_NAME : VAA_NAME_LN;
}

function rejection(
  { applicationContextName }: Aarq,
  diagnostic: Diagnostic,
  userInformation?: Uint8Array,
  rejected = String(diagnostic.value),
): AssociateOutcome<never> {
  const refused: Aare = {
    applicationContextName,
    result: "rejected-permanent",
    diagnostic,
    ...(userInformation === undefined ? {} : { userInformation }),
  };
  return { response: encode(acseApdu, { kind: "aare", value: refused }), standing: { kind: "idle" }, rejected };
}

function user(value: UserDiagnostic): Diagnostic {
  return { kind: "acse-service-user", value };
}
