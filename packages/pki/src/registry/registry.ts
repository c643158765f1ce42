import type { RevocationReason } from "../revocation/reasons.ts";

/** An authority of the tree. */
export interface AuthorityRecord {
  /** subjectKeyIdentifier of its certificate, lower-case hex. */
  readonly authority: string;
  readonly utility: string;
  readonly island: string;
  readonly name: string;
  readonly profile: string;
  /** The authority above; undefined for a root. */
  readonly parent: string | undefined;
  /** Where its key is: a name in the vault, a label in a token. */
  readonly keyName: string;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly createdAt: number;
}

/** One certificate that was ordered. */
export interface CertificateRecord {
  readonly authority: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly utility: string;
  readonly island: string;
  readonly profile: string;
  /** As `nameText` writes it. */
  readonly subject: string;
  /** Upper-case hex, for devices. */
  readonly systemTitle: string | undefined;
  readonly keyIdentifier: string;
  readonly requester: string;
  /** Milliseconds since 1970 UTC, as all times here. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly orderedAt: number;
  /** DER; undefined while it was only ordered. */
  readonly octets: Uint8Array | undefined;
  /** Which part of the issuer's revocation lists it would be on. */
  readonly shard: number;
  readonly revokedAt: number | undefined;
  readonly reason: RevocationReason | undefined;
}

export type CertificateState = "ordered" | "valid" | "revoked" | "expired";

/** What to look for; all that is given must hold. */
export interface CertificateQuery {
  readonly utility?: string;
  readonly authority?: string;
  readonly serial?: string;
  readonly systemTitle?: string;
  readonly keyIdentifier?: string;
  /** The beginning of the subject. */
  readonly subject?: string;
  readonly state?: CertificateState;
  /** Ends before this moment. */
  readonly endsBefore?: number;
  readonly limit: number;
  /** The last record of the page before. */
  readonly after?: Pick<CertificateRecord, "notAfter" | "authority" | "serial">;
}

/** A published list. */
export interface ListRecord {
  readonly authority: string;
  readonly shard: number;
  readonly number: bigint;
  readonly since: bigint | undefined;
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  readonly octets: Uint8Array;
}

/** What authorities remember. Every adapter passes `registryContract`. */
export interface Registry {
  addAuthority(record: AuthorityRecord): Promise<void>;
  authorities(): Promise<readonly AuthorityRecord[]>;
  /** Remembers that a certificate was ordered. @throws PkiError `serial-taken` */
  order(record: CertificateRecord): Promise<void>;
  /** What was ordered has been signed. @throws PkiError `certificate-unknown`, also where it was signed otherwise already */
  issued(authority: string, serial: string, octets: Uint8Array): Promise<void>;
  find(authority: string, serial: string): Promise<CertificateRecord | undefined>;
  /** In the order of their end, then authority and serial; `now` decides what has expired. */
  search(query: CertificateQuery, now: number): Promise<readonly CertificateRecord[]>;
  /** How many the requester has ordered since. */
  orderedSince(requester: string, since: number): Promise<number>;
  /** Revokes for good; false when it was revoked before, which changes nothing. @throws PkiError `certificate-unknown` */
  revoke(authority: string, serial: string, at: number, reason: RevocationReason): Promise<boolean>;
  /** What was revoked after `since` and not after `until`, in the order of revocation. */
  revoked(authority: string, shard: number, since: number, until: number): Promise<readonly CertificateRecord[]>;
  /** The newest list of a shard, full or delta. */
  newestList(authority: string, shard: number, kind: "full" | "delta"): Promise<ListRecord | undefined>;
  /** @throws PkiError `serial-taken` where the number was given to another list */
  addList(record: ListRecord): Promise<void>;
}

/** What a certificate is at a moment. */
export function stateOf(record: CertificateRecord, now: number): CertificateState {
  if (record.revokedAt !== undefined) return "revoked";
  if (record.octets === undefined) return "ordered";
  return record.notAfter < now ? "expired" : "valid";
}
