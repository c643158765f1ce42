import { fromHex, toHex } from "@meterkeep/dlms";
import { shardOf } from "../authority/shards.ts";
import { PkiError } from "../errors.ts";
import type { RevocationReason } from "../revocation/reasons.ts";
import { bytes, IS_WANTED, type SqlClient, WANTED } from "./certificate-rows.ts";
import type { Registry } from "./registry.ts";

const REVOKE = `
  update certificates c set revoked_ms = $3, reason = $4
  from ${WANTED} where ${IS_WANTED} and c.octets is not null and c.revoked_ms is null
  returning c.serial`;

/**
 * Of a shard, each once: who was revoked before it was known here may have been revoked again since. Whatever moment stands
 * there is compared, so that the index of all three columns is read, also where nothing has gathered statistics.
 */
const REVOKED = `
  select serial, revoked_ms, reason from certificates
  where authority = $1 and shard = $2 and revoked_ms >= -9223372036854775808
  union all select serial, revoked_ms, reason from revocations_alone a
  where authority = $1 and shard = $2 and not exists (
    select from certificates c where c.authority = a.authority and c.serial = a.serial and c.revoked_ms is not null)`;

/** What the registry remembers of revocations, in PostgreSQL. */
export function revocationsIn(
  client: SqlClient,
): Pick<Registry, "revoke" | "revokeAgain" | "isRevoked" | "revoked" | "revokedIn"> {
  const revoke = async (authority: string, serials: readonly string[], at: number, reason: RevocationReason) => {
    const { rows } = await client.query(REVOKE, [bytes(authority), serials.map(bytes), at, reason]);
    return (rows as readonly { readonly serial: Buffer }[]).map(({ serial }) => toHex(serial));
  };
  return {
    revoke: async (authority, serials, at, reason) => {
      const { rows } = await client.query(
        `select count(*)::integer as count from certificates c, ${WANTED} where ${IS_WANTED} and c.octets is not null`,
        [bytes(authority), serials.map(bytes)],
      );
      const missing = new Set(serials).size - (rows[0] as { readonly count: number }).count;
      if (missing > 0)
        throw new PkiError(
          "certificate-unknown",
          `authority ${authority} never issued ${missing} of these certificates`,
        );
      return revoke(authority, serials, at, reason);
    },
    revokeAgain: async (authority, serials, at, reason) => {
      const known = await revoke(authority, serials, at, reason);
      const { rowCount } = await client.query(
        `insert into revocations_alone (authority, serial, shard, revoked_ms, reason)
         select $1, alone.serial, alone.shard, $4, $5 from unnest($2::bytea[], $3::integer[]) as alone (serial, shard)
         where not exists (select from certificates c where c.authority = $1 and c.serial = alone.serial and c.octets is not null)
         on conflict do nothing`,
        [bytes(authority), serials.map(bytes), serials.map((serial) => shardOf(fromHex(serial))), at, reason],
      );
      return known.length + (rowCount ?? 0);
    },
    isRevoked: async (authority, serial) => {
      const { rows } = await client.query(
        `select from (select c.revoked_ms from certificates c, ${WANTED} where ${IS_WANTED} offset 0) as found
         where revoked_ms is not null
         union all select from revocations_alone where authority = $1 and serial = any($2::bytea[])`,
        [bytes(authority), [bytes(serial)]],
      );
      return rows.length > 0;
    },
    revoked: async (authority, shard) => {
      const { rows } = await client.query(`${REVOKED} order by revoked_ms, serial`, [bytes(authority), shard]);
      return (rows as readonly RevokedRow[]).map((row) => ({
        serial: toHex(row.serial),
        revokedAt: Number(row.revoked_ms),
        reason: row.reason,
      }));
    },
    revokedIn: async (authority, shard) => {
      const { rows } = await client.query(`select count(*) as count from (${REVOKED}) as revoked`, [
        bytes(authority),
        shard,
      ]);
      return Number((rows[0] as { readonly count: string }).count);
    },
  };
}

interface RevokedRow {
  readonly serial: Buffer;
  readonly revoked_ms: string;
  readonly reason: RevocationReason;
}
