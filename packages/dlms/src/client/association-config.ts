import type { Aarq } from "../acse/association.ts";
import type { HlsMechanism } from "../security/hls-mechanisms.ts";
import type { KeySource } from "../security/key-info.ts";
import type { CipheringForm } from "../security/layers.ts";
import type { GeneralKeys } from "../security/message-key.ts";
import type { Ciphers, SecurityPlatform } from "../security/ports.ts";
import type { SecurityProfile } from "../security/profile.ts";
import type { SecuritySuiteId } from "../security/suites.ts";
import type { SystemTitle } from "../system-title.ts";
import type { Conformance } from "../xdlms/conformance.ts";
import type { Referencing } from "../xdlms/referencing.ts";

/** How a client proves who it is. */
export type ClientAuthentication =
  | { readonly kind: "none" }
  /** Mechanism 1: the password travels in clear. */
  | { readonly kind: "lls"; readonly password: Uint8Array }
  /** Mechanism 5: `challenge` is 8 to 64 fresh random octets. */
  | { readonly kind: "gmac"; readonly challenge: Uint8Array }
  /** Mechanisms 2, 3, 4, 6 and 7. */
  | { readonly kind: "hls"; readonly challenge: Uint8Array; readonly mechanism: HlsMechanism };

/** How the APDUs of an association are protected, with keys as the platform holds them. */
export interface ClientCiphering<Key> {
  readonly ciphers: Ciphers<Key>;
  readonly suite: SecuritySuiteId;
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  readonly form: CipheringForm;
  /** Requests through the association go under this key, in the global forms; responses still come under the unicast one. */
  readonly broadcastKey?: Key;
  /** For general-ciphering, and for what is signed. */
  readonly general?: ClientGeneralProtection<Key>;
  /** globalUnicastEncryptionKey */
  readonly encryptionKey: Key;
  readonly authenticationKey: Uint8Array;
  /** For the dedicated forms: a fresh key, which travels ciphered in the InitiateRequest. */
  readonly dedicatedKey?: { readonly octets: Uint8Array; readonly key: Key };
}

/** What general-ciphering and general-signing need beside the global keys. */
export interface ClientGeneralProtection<Key> {
  readonly platform: SecurityPlatform<Key>;
  readonly profile?: SecurityProfile;
  /** Private keys of this client, public keys of the server, the master key: as far as `source` and `signs` need them. */
  readonly keys: Omit<GeneralKeys<Key>, "encryption" | "authentication">;
  /** Where the key of a general-ciphering APDU comes from; without it key-info is left out and the unicast key meant. */
  readonly source?: KeySource;
  /** Sign requests. They are then ciphered in a general form, if at all. */
  readonly signs?: boolean;
  /** Refuse responses without a signature; as `signs` unless given. */
  readonly requiresSigned?: boolean;
  /** A transaction id for a request, never given before; 8 random octets unless given. */
  readonly transactionIds?: () => Uint8Array;
}

/** Fields of the AARQ that few meters look at, sent where they are given. */
export type AarqFields = Partial<
  Pick<
    Aarq,
    | "protocolVersion"
    | "calledApTitle"
    | "calledAeQualifier"
    | "calledApInvocationId"
    | "calledAeInvocationId"
    | "callingApInvocationId"
    | "implementationInformation"
  >
>;

/** What a client wants of an association. */
export interface AssociationConfig<Key> {
  readonly authentication: ClientAuthentication;
  /** Sent where it is given; needed with ciphering and with mechanism 5. */
  readonly systemTitle?: SystemTitle;
  /** Keys; with mechanism 5 always, also where `applicationContext` is not ciphered. */
  readonly ciphering?: ClientCiphering<Key>;
  /** `false` keeps APDUs plain although keys are given, for mechanism 5 alone. */
  readonly cipheredContext?: boolean;
  /** How objects are named; by logical names unless given. */
  readonly referencing?: Referencing;
  /** Services proposed; `PROPOSED_CONFORMANCE` unless given, or its counterpart for short names. */
  readonly conformance?: Conformance;
  /** Which user of the client this is, where the meter tells users apart: calling-AE-invocation-id. */
  readonly userId?: number;
  /** The client's signing certificate, sent as calling-AE-qualifier. */
  readonly certificate?: Uint8Array;
  readonly fields?: AarqFields;
  /** proposed-quality-of-service; left out unless given. */
  readonly qualityOfService?: number;
  /** How strictly the server's challenge is judged; `STANDARD_SECURITY` unless given. */
  readonly profile?: SecurityProfile;
  /**
   * Octets of the longest APDU this client takes; 65 535 unless given. 0 is no limit by the standard, and refused by some
   * meters.
   */
  readonly maxReceivePduSize?: number;
  /** The server's title, where it is known before: another one is not accepted. */
  readonly serverSystemTitle?: SystemTitle;
  /** The lowest counter that is acceptable from the server; 0 unless given. */
  readonly lowestServerCounter?: number;
}

/** The services that a client proposes unless told otherwise: all that `Session` can use. */
export const PROPOSED_CONFORMANCE: Conformance = [
  "general-protection",
  "block-transfer-with-get-or-read",
  "block-transfer-with-set-or-write",
  "block-transfer-with-action",
  "multiple-references",
  "get",
  "set",
  "selective-access",
  "action",
];

/** The services that a client of short names proposes unless told otherwise: all that `ShortNameSession` can use. */
export const PROPOSED_SHORT_NAME_CONFORMANCE: Conformance = [
  "general-protection",
  "read",
  "write",
  "unconfirmed-write",
  "block-transfer-with-get-or-read",
  "block-transfer-with-set-or-write",
  "multiple-references",
  "information-report",
  "parameterized-access",
];

/** The services proposed under a configuration. */
export function proposedConformance({ conformance, referencing }: AssociationConfig<unknown>): Conformance {
  return conformance ?? (referencing === "short-name" ? PROPOSED_SHORT_NAME_CONFORMANCE : PROPOSED_CONFORMANCE);
}
