import { toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import {
  bytes,
  type CertificateRow,
  COLUMNS,
  certificateOf,
  columnsOf,
  INSERT_CERTIFICATES,
  IS_WANTED,
  isUniqueViolation,
  type SqlClient,
  WANTED,
} from "./certificate-rows.ts";
import { revocationsIn } from "./postgres-revocations.ts";
import { viewsOf } from "./postgres-views.ts";
import type { AuthorityRecord, CertificateQuery, CertificateRecord, ListRecord, Registry } from "./registry.ts";

/** Of a bigint. */
const HIGHEST = 2n ** 63n - 1n;

/** The registry in PostgreSQL. */
export function postgresRegistry(client: SqlClient): Registry {
  const many = async (condition: string, values: unknown[]): Promise<CertificateRecord[]> => {
    const { rows } = await client.query(`select ${COLUMNS} from certificates where ${condition}`, values);
    return (rows as readonly CertificateRow[]).map(certificateOf);
  };
  const findAll: Registry["findAll"] = async (authority, serials) => {
    const values = [bytes(authority), serials.map(bytes)];
    const { rows } = await client.query(`select c.* from certificates c, ${WANTED} where ${IS_WANTED}`, values);
    return (rows as readonly CertificateRow[]).map(certificateOf);
  };
  return {
    addAuthority: async (record) => {
      await client.query(
        `insert into authorities (authority, utility, island, name, profile, parent, key_name, certificate, created_ms, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        [
          bytes(record.authority),
          record.utility,
          record.island,
          record.name,
          record.profile,
          record.parent === undefined ? null : bytes(record.parent),
          record.keyName,
          Buffer.from(record.certificate),
          record.createdAt,
          record.mac === undefined ? null : Buffer.from(record.mac),
        ],
      );
    },
    authorities: async () => {
      const { rows } = await client.query("select * from authorities order by created_ms, authority");
      return (rows as readonly AuthorityRow[]).map(authorityOf);
    },
    order: async (records) => {
      await client.query(INSERT_CERTIFICATES, columnsOf(records)).catch(taken("one of these serial numbers"));
    },
    issued: async (authority, signed) => {
      const { rowCount } = await client.query(
        `update certificates c set octets = wanted.octets
         from (select $1::bytea as authority, * from unnest($2::bytea[], $3::bytea[]) as signed (serial, octets) offset 0) as wanted
         where ${IS_WANTED} and c.octets is null`,
        [bytes(authority), signed.map(({ serial }) => bytes(serial)), signed.map(({ octets }) => Buffer.from(octets))],
      );
      if (rowCount !== signed.length)
        throw new PkiError(
          "certificate-unknown",
          `authority ${authority} has no order that waits for a signature for ${signed.length - (rowCount ?? 0)} of these`,
        );
    },
    find: async (authority, serial) => (await findAll(authority, [serial]))[0],
    count: async () => {
      const { rows } = await client.query("select count(*)::integer as count from certificates");
      return (rows[0] as { readonly count: number }).count;
    },
    findAll,
    page: (authority, after, now, limit) =>
      many(
        `authority = $1 and serial > $2 and octets is not null and not_after_ms >= $3
         order by authority, serial limit ${Math.trunc(limit)}`,
        [bytes(authority), bytes(after ?? ""), now],
      ),
    search: (query, now) => {
      const { condition, values } = conditionOf(query, now);
      const page = `order by not_after_ms, authority, serial limit ${Math.trunc(query.limit)}`;
      const { serial, systemTitle, keyIdentifier } = query;
      if ((serial ?? systemTitle ?? keyIdentifier) === undefined) return many(`${condition} ${page}`, values);
      // Few, by an index of their own: where statistics are missing, all would be walked through in the order of the page.
      return many(
        `(authority, serial) in (
           with few as materialized (select authority, serial from certificates where ${condition}) select * from few
         ) ${page}`,
        values,
      );
    },
    ...revocationsIn(client),
    ...viewsOf(client),
    newestList: async (authority, shard, kind, atMost) => {
      const { rows } = await client.query(
        `select * from revocation_lists where authority = $1 and shard = $2 and since is ${kind === "full" ? "null" : "not null"}
         and number <= $3 order by number desc limit 1`,
        [bytes(authority), shard, String(atMost ?? HIGHEST)],
      );
      const [row] = rows as readonly ListRow[];
      return row && listOf(row);
    },
    addList: async (...records) => {
      await client
        .query(
          `insert into revocation_lists (authority, shard, number, since, this_update_ms, next_update_ms, octets)
           select * from unnest($1::bytea[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[])`,
          [
            records.map(({ authority }) => bytes(authority)),
            records.map(({ shard }) => shard),
            records.map(({ number }) => String(number)),
            records.map(({ since }) => (since === undefined ? null : String(since))),
            records.map(({ thisUpdate }) => thisUpdate),
            records.map(({ nextUpdate }) => nextUpdate),
            records.map(({ octets }) => Buffer.from(octets)),
          ],
        )
        .catch(taken(`list number ${records.map(({ number }) => number).join(", ")}`));
    },
  };
}

function conditionOf(query: CertificateQuery, now: number): { readonly condition: string; readonly values: unknown[] } {
  const {
    utility,
    authority,
    butOf = [],
    serial,
    systemTitle,
    keyIdentifier,
    subject,
    state,
    endsBefore,
    after,
  } = query;
  const values: unknown[] = [];
  const value = (one: unknown): string => `$${values.push(one)}`;
  const conditions = ["true"];
  if (utility !== undefined) conditions.push(`utility = ${value(utility)}`);
  if (authority !== undefined) conditions.push(`authority = ${value(bytes(authority))}`);
  if (butOf.length > 0) conditions.push(`authority <> all(${value(butOf.map(bytes))}::bytea[])`);
  if (serial !== undefined) conditions.push(`serial = ${value(bytes(serial))}`);
  if (systemTitle !== undefined) conditions.push(`system_title = ${value(bytes(systemTitle))}`);
  if (keyIdentifier !== undefined) conditions.push(`key_identifier = ${value(bytes(keyIdentifier))}`);
  if (subject !== undefined) conditions.push(`subject like ${value(`${subject.replace(/[\\%_]/g, "\\$&")}%`)}`);
  if (endsBefore !== undefined) conditions.push(`not_after_ms < ${value(endsBefore)}`);
  if (state === "revoked") conditions.push("revoked_ms is not null");
  else if (state === "ordered") conditions.push("octets is null");
  else if (state !== undefined)
    conditions.push(
      `revoked_ms is null and octets is not null and not_after_ms ${state === "expired" ? "<" : ">="} ${value(now)}`,
    );
  if (after !== undefined)
    conditions.push(
      `(not_after_ms, authority, serial) > (${value(after.notAfter)}, ${value(bytes(after.authority))}, ${value(bytes(after.serial))})`,
    );
  return { condition: conditions.join(" and "), values };
}

interface AuthorityRow {
  readonly authority: Buffer;
  readonly utility: string;
  readonly island: string;
  readonly name: string;
  readonly profile: string;
  readonly parent: Buffer | null;
  readonly key_name: string;
  readonly certificate: Buffer;
  readonly created_ms: string;
  readonly mac: Buffer | null;
}

function authorityOf(row: AuthorityRow): AuthorityRecord {
  return {
    authority: toHex(row.authority),
    utility: row.utility,
    island: row.island,
    name: row.name,
    profile: row.profile,
    parent: row.parent === null ? undefined : toHex(row.parent),
    keyName: row.key_name,
    certificate: new Uint8Array(row.certificate),
    createdAt: Number(row.created_ms),
    ...(row.mac !== null && { mac: new Uint8Array(row.mac) }),
  };
}

interface ListRow {
  readonly authority: Buffer;
  readonly shard: number;
  readonly number: string;
  readonly since: string | null;
  readonly this_update_ms: string;
  readonly next_update_ms: string;
  readonly octets: Buffer;
}

function listOf(row: ListRow): ListRecord {
  return {
    authority: toHex(row.authority),
    shard: row.shard,
    number: BigInt(row.number),
    since: row.since === null ? undefined : BigInt(row.since),
    thisUpdate: Number(row.this_update_ms),
    nextUpdate: Number(row.next_update_ms),
    octets: new Uint8Array(row.octets),
  };
}

function taken(what: string): (error: unknown) => never {
  return (error) => {
    if (isUniqueViolation(error)) throw new PkiError("serial-taken", `${what} was given before`, { cause: error });
    throw error;
  };
}
