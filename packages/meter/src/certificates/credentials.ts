import type { KeyPairUse } from "@meterkeep/dlms";

/** A key pair of the meter. The private key never leaves its memory. */
export interface StoredPair {
  readonly use: KeyPairUse;
  /** PKCS #8 in DER, base64. */
  readonly privateKey: string;
  /** `active` has a certificate; `pending` was generated and waits for one. */
  readonly state: "active" | "pending";
}

/** Key pairs and certificates as the meter remembers them, trust anchors apart: those are part of how it was made. */
export interface StoredCredentials {
  readonly pairs: readonly StoredPair[];
  /** DER, base64, in the order in which they were imported. */
  readonly certificates: readonly string[];
  /** The highest transaction id taken from each client, hex by system title: one that is not higher is a replay. */
  readonly transactions: Readonly<Record<string, string>>;
}

export const NO_CREDENTIALS: StoredCredentials = { pairs: [], certificates: [], transactions: {} };
