import type { Ciphers } from "../security/ports.ts";
import type { SecuritySuiteId } from "../security/suites.ts";
import type { SystemTitle } from "../system-title.ts";
import type { Conformance } from "../xdlms/conformance.ts";

/** How a client proves who it is. */
export type ClientAuthentication =
  | { readonly kind: "none" }
  /** Mechanism 1: the password travels in clear. */
  | { readonly kind: "lls"; readonly password: Uint8Array }
  /** Mechanism 5: `challenge` is 8 to 64 fresh random octets. */
  | { readonly kind: "gmac"; readonly challenge: Uint8Array };

/** Whose key protects, and whether the originator is named: see `ProtectionForm`. */
export type CipheringForm = "global" | "dedicated" | "general-global" | "general-dedicated";

/** How the APDUs of an association are protected, with keys as the platform holds them. */
export interface ClientCiphering<Key> {
  readonly ciphers: Ciphers<Key>;
  readonly suite: SecuritySuiteId;
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  readonly form: CipheringForm;
  /** globalUnicastEncryptionKey */
  readonly encryptionKey: Key;
  readonly authenticationKey: Uint8Array;
  /** For the dedicated forms: a fresh key, which travels ciphered in the InitiateRequest. */
  readonly dedicatedKey?: { readonly octets: Uint8Array; readonly key: Key };
}

/** What a client wants of an association. */
export interface AssociationConfig<Key> {
  readonly authentication: ClientAuthentication;
  /** Sent where it is given; needed with ciphering and with mechanism 5. */
  readonly systemTitle?: SystemTitle;
  /** Keys; with mechanism 5 always, also where `applicationContext` is not ciphered. */
  readonly ciphering?: ClientCiphering<Key>;
  /** `false` keeps APDUs plain although keys are given, for mechanism 5 alone. */
  readonly cipheredContext?: boolean;
  /** Services proposed; `PROPOSED_CONFORMANCE` unless given. */
  readonly conformance?: Conformance;
  /** Octets of the longest APDU this client takes; 0 is no limit and the default. */
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
