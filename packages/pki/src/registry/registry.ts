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
  /** What binds all of this to whoever keeps the registry, where it is bound. */
  readonly mac?: Uint8Array | undefined;
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
  /** None of these authorities'. */
  readonly butOf?: readonly string[];
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

/** A certificate that its authority has signed. */
export interface SignedCertificate {
  readonly serial: string;
  /** DER. */
  readonly octets: Uint8Array;
}

/** A serial number that is on its authority's lists. */
export interface RevokedCertificate {
  readonly serial: string;
  readonly revokedAt: number;
  readonly reason: RevocationReason;
}

/** Before a moment; with `after`, also what has that moment and stands behind that certificate. */
export interface OrderPlace {
  readonly before: number;
  readonly after?: Pick<CertificateRecord, "authority" | "serial"> | undefined;
}

/** Where certificates are used, and how many. */
export interface Extent {
  readonly utility: string;
  readonly island: string;
  readonly certificates: number;
  readonly meters: number;
}

/** A meter and where it belongs. */
export interface MeterPlace {
  /** Upper-case hex. */
  readonly systemTitle: string;
  readonly utility: string;
  readonly island: string;
}

/** Valid certificates of a profile that end before one moment and not before the one before it. */
export interface Ending {
  readonly profile: string;
  readonly before: number;
  readonly count: number;
}

/** What authorities remember. Every adapter passes `registryContract`. */
export interface Registry {
  addAuthority(record: AuthorityRecord): Promise<void>;
  authorities(): Promise<readonly AuthorityRecord[]>;
  /** Remembers that certificates were ordered, all or none. @throws PkiError `serial-taken` */
  order(records: readonly CertificateRecord[]): Promise<void>;
  /** What was ordered has been signed. @throws PkiError `certificate-unknown`, also where it was signed otherwise already */
  issued(authority: string, signed: readonly SignedCertificate[]): Promise<void>;
  find(authority: string, serial: string): Promise<CertificateRecord | undefined>;
  /** How many were ever ordered. */
  count(): Promise<number>;
  /** Those of these that were ordered. */
  findAll(authority: string, serials: readonly string[]): Promise<readonly CertificateRecord[]>;
  /** Those of an authority that were signed and have not ended at `now`, in the order of their serial numbers, after one of these. */
  page(authority: string, after: string | undefined, now: number, limit: number): Promise<readonly CertificateRecord[]>;
  /** In the order of their end, then authority and serial; `now` decides what has expired. */
  search(query: CertificateQuery, now: number): Promise<readonly CertificateRecord[]>;
  /**
   * Revokes for good; gives those that were not revoked before, which alone change.
   *
   * @throws PkiError `certificate-unknown` where one was never issued: none is revoked then
   */
  revoke(
    authority: string,
    serials: readonly string[],
    at: number,
    reason: RevocationReason,
  ): Promise<readonly string[]>;
  /** As `revoke`, also for serial numbers that are not known here: a database from before they were given has to name them. */
  revokeAgain(authority: string, serials: readonly string[], at: number, reason: RevocationReason): Promise<number>;
  /** Whether a serial number is revoked, issued here or not. */
  isRevoked(authority: string, serial: string): Promise<boolean>;
  /** Everything of a shard that is revoked, issued here or not, each once, in the order of the moments of revocation. */
  revoked(authority: string, shard: number): Promise<readonly RevokedCertificate[]>;
  /** How many that are: it only grows, whatever moment a revocation that comes late bears. */
  revokedIn(authority: string, shard: number): Promise<number>;
  /** Certificates that are valid at `now`, by where they are used, of these authorities. */
  extent(authorities: readonly string[], now: number): Promise<readonly Extent[]>;
  /** Meters with valid certificates of these authorities, in the order of their titles. */
  meters(authorities: readonly string[], after: string | undefined, limit: number): Promise<readonly MeterPlace[]>;
  /** How many valid certificates end before each moment, by profile. */
  endings(now: number, moments: readonly number[]): Promise<readonly Ending[]>;
  /** The newest certificates, from a place on: what a public page shows. Many have one moment, each has a place of its own. */
  newest(from: OrderPlace, limit: number): Promise<readonly CertificateRecord[]>;
  /** The list of a shard, full or delta, that has the highest number, and none above `atMost` where that is given. */
  newestList(
    authority: string,
    shard: number,
    kind: "full" | "delta",
    atMost?: bigint,
  ): Promise<ListRecord | undefined>;
  /** All or none. @throws PkiError `serial-taken` where a number was given to another list */
  addList(...records: readonly ListRecord[]): Promise<void>;
}

/** What a certificate is at a moment. */
export function stateOf(record: CertificateRecord, now: number): CertificateState {
  if (record.revokedAt !== undefined) return "revoked";
  if (record.octets === undefined) return "ordered";
  return record.notAfter < now ? "expired" : "valid";
}
