import type { Curve } from "@meterkeep/dlms";
import type { KeyUsage } from "../x509/extensions.ts";

/** How the subject says who it is. */
export type SubjectRule =
  /** One common name: the system title in 16 upper-case hexadecimal digits (Green Book 9.2.6.4, common practice). */
  | { readonly kind: "system-title" }
  /** No attribute at all: the device stands in subjectAltName, which is critical then (GBCS 12, RFC 5280 4.1.2.6). */
  | { readonly kind: "empty" }
  /** Attributes by their short names, required or allowed; nothing else. */
  | { readonly kind: "named"; readonly required: readonly NameField[]; readonly allowed: readonly NameField[] };
export type NameField = "CN" | "O" | "OU" | "C" | "L" | "serialNumber" | "uniqueIdentifier";

/** What subjectAltName holds. */
export type AltNameRule =
  | { readonly kind: "absent" }
  /** hardwareModuleName with the system title as hwSerialNum; critical where the subject is empty. */
  | { readonly kind: "hardware-module"; readonly hwType?: string }
  /** Names and addresses of a TLS server or client: at least one. */
  | { readonly kind: "hosts" };

/** Whether an extension stands in the certificate, and whether who does not know it must refuse the certificate. */
export type Presence = "absent" | "critical" | "non-critical";

/**
 * What a kind of certificate looks like, as data: issuing writes what it says, linting compares with it.
 *
 * keyUsage is always there and critical, subjectKeyIdentifier and authorityKeyIdentifier always there and not critical.
 */
export interface CertificateProfile {
  /** For people and for configuration: `dlms-suite-1-signature`. */
  readonly name: string;
  /** Where the profile is laid down. */
  readonly source: string;
  readonly authority: /** An end entity: basicConstraints is forbidden. */
    | false
    /** An authority: basicConstraints is critical, with at most that many authorities below; null for any number. */
    | { readonly pathLength: number | null };
  readonly curve: Curve;
  readonly subject: SubjectRule;
  readonly altName: AltNameRule;
  readonly keyUsage: readonly KeyUsage[];
  /** Identifiers; none means that the extension is forbidden. */
  readonly extendedKeyUsage: readonly string[];
  /** `sha-1`: 20 octets (RFC 5280 4.2.1.2 method 1); `short`: 8 octets, 0100 and the last 60 bits (method 2). */
  readonly keyIdentifier: "sha-1" | "short";
  readonly policies: { readonly presence: Presence; readonly ids: readonly string[] };
  /** Where the issuer's revocation lists lie may stand in certificates of authorities and of TLS only. */
  readonly distributionPoints: "forbidden" | "allowed";
  /** Days at most; `no-end` for 99991231235959Z exactly. */
  readonly validity: { readonly days: number } | "no-end";
}
