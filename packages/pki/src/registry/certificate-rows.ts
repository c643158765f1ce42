import { fromHex, toHex } from "@meterkeep/dlms";
import type { RevocationReason } from "../revocation/reasons.ts";
import type { CertificateRecord } from "./registry.ts";

/** What the adapters need of a `pg` pool or client. */
export interface SqlClient {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>;
}

const UNIQUE_VIOLATION = "23505";

/** Whether the database refused a row because its key is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === UNIQUE_VIOLATION;
}

export const COLUMNS = `authority, serial, utility, island, profile, subject, system_title, key_identifier, requester,
  not_before_ms, not_after_ms, ordered_ms, octets, shard, revoked_ms, reason`;

/**
 * Certificates by serial number, of the authority `$1`, the serials being `$2`: as a join, so that they are looked up one by
 * one. Of an authority made since statistics were last gathered PostgreSQL takes it that it has one certificate, and where it
 * is told the authority as a constant it reads all that it has.
 */
export const WANTED =
  "(select distinct $1::bytea as authority, serial from unnest($2::bytea[]) as serial offset 0) as wanted";
export const IS_WANTED = "c.authority = wanted.authority and c.serial = wanted.serial";

/** Inserts any number of orders with the values of `columnsOf`. */
export const INSERT_CERTIFICATES = `
  insert into certificates (authority, serial, utility, island, profile, subject, system_title, key_identifier, requester,
    not_before_ms, not_after_ms, ordered_ms, shard)
  select * from unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[],
    $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::integer[])`;

export function columnsOf(records: readonly CertificateRecord[]): unknown[] {
  return [
    records.map(({ authority }) => bytes(authority)),
    records.map(({ serial }) => bytes(serial)),
    records.map(({ utility }) => utility),
    records.map(({ island }) => island),
    records.map(({ profile }) => profile),
    records.map(({ subject }) => subject),
    records.map(({ systemTitle }) => (systemTitle === undefined ? null : bytes(systemTitle))),
    records.map(({ keyIdentifier }) => bytes(keyIdentifier)),
    records.map(({ requester }) => requester),
    records.map(({ notBefore }) => notBefore),
    records.map(({ notAfter }) => notAfter),
    records.map(({ orderedAt }) => orderedAt),
    records.map(({ shard }) => shard),
  ];
}

export function bytes(hex: string): Buffer {
  return Buffer.from(fromHex(hex));
}

export interface CertificateRow {
  readonly authority: Buffer;
  readonly serial: Buffer;
  readonly utility: string;
  readonly island: string;
  readonly profile: string;
  readonly subject: string;
  readonly system_title: Buffer | null;
  readonly key_identifier: Buffer;
  readonly requester: string;
  readonly not_before_ms: string;
  readonly not_after_ms: string;
  readonly ordered_ms: string;
  readonly octets: Buffer | null;
  readonly shard: number;
  readonly revoked_ms: string | null;
  readonly reason: RevocationReason | null;
}

export function certificateOf(row: CertificateRow): CertificateRecord {
  return {
    authority: toHex(row.authority),
    serial: toHex(row.serial),
    utility: row.utility,
    island: row.island,
    profile: row.profile,
    subject: row.subject,
    systemTitle: row.system_title === null ? undefined : toHex(row.system_title).toUpperCase(),
    keyIdentifier: toHex(row.key_identifier),
    requester: row.requester,
    notBefore: Number(row.not_before_ms),
    notAfter: Number(row.not_after_ms),
    orderedAt: Number(row.ordered_ms),
    octets: row.octets === null ? undefined : new Uint8Array(row.octets),
    shard: row.shard,
    revokedAt: row.revoked_ms === null ? undefined : Number(row.revoked_ms),
    reason: row.reason ?? undefined,
  };
}
