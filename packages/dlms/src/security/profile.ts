/**
 * What differs between editions and makers in how APDUs are protected: fields of a meter profile, never constants.
 *
 * Editions of the Green Book and the companion specifications built on them disagree in these points, and the two
 * sides of an association must agree or nothing verifies.
 */
export interface SecurityProfile {
  /**
   * The object identifiers that go into key derivation: country 756 encoded as `60 85 74 05 08` (later editions) or as
   * `60 85 74 06 08` (edition 8.0, GBCS).
   */
  readonly algorithmIdPrefix: "6085740508" | "6085740608";
  /** What the signature over an ephemeral public key in general-ciphering covers. */
  readonly ephemeralSignature: "public-key" | "key-id-and-public-key";
  /**
   * Whether the tag of general-ciphering covers the header, as the standard has it. Without it a transaction id proves
   * nothing with a one-pass key: good to read what such a peer sends, not to be one.
   */
  readonly authenticatedHeader: boolean;
  /** Whether the signature of general-signing covers the length octets before the content. */
  readonly signedContentLength: boolean;
  /** The counter in the initialisation vector of general-ciphering with an agreed key. */
  readonly agreedKeyCounter: "carried" | "zero";
  /** How interface class 30 protects: see `DataProtectionForm`. */
  readonly dataProtection: "standard" | "gbcs";
  /** Octets that a challenge of the other side may have; `leastSigned` is for mechanism 7. */
  readonly challengeBytes: { readonly least: number; readonly leastSigned: number; readonly most: number };
  /** Refuse a server's challenge that decodes as an APDU: who signs or MACs it might sign a request. */
  readonly refuseApduChallenges: boolean;
}

/** The current editions, followed strictly. */
export const STANDARD_SECURITY: SecurityProfile = {
  algorithmIdPrefix: "6085740508",
  ephemeralSignature: "public-key",
  authenticatedHeader: true,
  signedContentLength: true,
  agreedKeyCounter: "carried",
  dataProtection: "standard",
  challengeBytes: { least: 8, leastSigned: 32, most: 64 },
  refuseApduChallenges: true,
};

/** Great Britain's companion specification (GBCS), which is built on edition 8.0. */
export const GBCS_SECURITY: SecurityProfile = {
  ...STANDARD_SECURITY,
  algorithmIdPrefix: "6085740608",
  dataProtection: "gbcs",
};
