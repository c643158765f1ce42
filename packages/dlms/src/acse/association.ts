import { choice } from "../codec/choice.ts";
import type { Infer } from "../codec/codec.ts";
import { openEnumeration } from "../codec/enumeration.ts";
import { lengthPrefixed } from "../codec/mapped.ts";
import { restBytes } from "../codec/scalars.ts";
import { element, integer, octetString, oneBit, optional, required, sequence, smallInteger } from "./ber.ts";
import { applicationContextName, mechanismName } from "./names.ts";

/** Authentication-value ::= CHOICE { charstring [0], … }: DLMS uses this one alone. */
const authenticationValue = element(0x80, restBytes);

/** AARQ-apdu ::= [APPLICATION 0] IMPLICIT SEQUENCE (Green Book 9.4.2.2); octets after its tag. */
export const aarq = sequence({
  /** version1, the only one; present or not means the same. */
  protocolVersion: optional(0x80, oneBit),
  applicationContextName: required(0xa1, element(0x06, applicationContextName)),
  calledApTitle: optional(0xa2, octetString),
  calledAeQualifier: optional(0xa3, octetString),
  calledApInvocationId: optional(0xa4, smallInteger),
  calledAeInvocationId: optional(0xa5, smallInteger),
  /** The client's system title. */
  callingApTitle: optional(0xa6, octetString),
  /** The client's signing certificate, where mechanism 7 sends one. */
  callingAeQualifier: optional(0xa7, octetString),
  callingApInvocationId: optional(0xa8, smallInteger),
  /** The user of the client, where the meter tells users apart. */
  callingAeInvocationId: optional(0xa9, smallInteger),
  /** Set when the authentication functional unit is used: mechanism and value below then have a meaning. */
  senderAcseRequirements: optional(0x8a, oneBit),
  mechanismName: optional(0x8b, mechanismName),
  /** The password (mechanism 1) or the client's challenge (2 and above). */
  callingAuthenticationValue: optional(0xac, authenticationValue),
  implementationInformation: optional(0xbd, restBytes),
  /** An InitiateRequest, plain or ciphered. */
  userInformation: optional(0xbe, octetString),
});
export type Aarq = Infer<typeof aarq>;

export const ASSOCIATION_RESULTS = { accepted: 0, "rejected-permanent": 1, "rejected-transient": 2 } as const;

const USER_DIAGNOSTICS = {
  null: 0,
  "no-reason-given": 1,
  "application-context-name-not-supported": 2,
  "calling-AP-title-not-recognized": 3,
  "calling-AP-invocation-identifier-not-recognized": 4,
  "calling-AE-qualifier-not-recognized": 5,
  "calling-AE-invocation-identifier-not-recognized": 6,
  "called-AP-title-not-recognized": 7,
  "called-AP-invocation-identifier-not-recognized": 8,
  "called-AE-qualifier-not-recognized": 9,
  "called-AE-invocation-identifier-not-recognized": 10,
  "authentication-mechanism-name-not-recognised": 11,
  "authentication-mechanism-name-required": 12,
  "authentication-failure": 13,
  "authentication-required": 14,
} as const;

const PROVIDER_DIAGNOSTICS = { null: 0, "no-reason-given": 1, "no-common-acse-version": 2 } as const;

/** Associate-source-diagnostic ::= CHOICE { acse-service-user [1], acse-service-provider [2] } */
export const diagnostic = choice({
  "acse-service-user": [0xa1, lengthPrefixed(integer(openEnumeration(USER_DIAGNOSTICS)))],
  "acse-service-provider": [0xa2, lengthPrefixed(integer(openEnumeration(PROVIDER_DIAGNOSTICS)))],
});
export type Diagnostic = Infer<typeof diagnostic>;

/** AARE-apdu ::= [APPLICATION 1] IMPLICIT SEQUENCE; octets after its tag. */
export const aare = sequence({
  protocolVersion: optional(0x80, oneBit),
  applicationContextName: required(0xa1, element(0x06, applicationContextName)),
  result: required(0xa2, integer(openEnumeration(ASSOCIATION_RESULTS))),
  /** With HLS an accepted association says `authentication-required` until both sides have proven themselves. */
  diagnostic: required(0xa3, diagnostic),
  /** The server's system title. */
  respondingApTitle: optional(0xa4, octetString),
  /** The server's signing certificate, where mechanism 7 sends one. */
  respondingAeQualifier: optional(0xa5, octetString),
  respondingApInvocationId: optional(0xa6, smallInteger),
  respondingAeInvocationId: optional(0xa7, smallInteger),
  responderAcseRequirements: optional(0x88, oneBit),
  mechanismName: optional(0x89, mechanismName),
  /** The server's challenge. */
  respondingAuthenticationValue: optional(0xaa, authenticationValue),
  implementationInformation: optional(0xbd, restBytes),
  /** An InitiateResponse or a ConfirmedServiceError, plain or ciphered; some servers leave it out when they reject. */
  userInformation: optional(0xbe, octetString),
});
export type Aare = Infer<typeof aare>;
