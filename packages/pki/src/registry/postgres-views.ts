import { toHex } from "@meterkeep/dlms";
import { bytes, type CertificateRow, COLUMNS, certificateOf, type SqlClient } from "./certificate-rows.ts";
import type { Ending, Extent, Registry } from "./registry.ts";

/** What is counted and listed of certificates, in PostgreSQL. */
export function viewsOf(client: SqlClient): Pick<Registry, "extent" | "meters" | "endings" | "newest"> {
  return {
    extent: async (authorities, now) => {
      const { rows } = await client.query(
        `select utility, island, count(*)::integer as certificates, count(distinct system_title)::integer as meters
         from certificates where authority = any($1::bytea[]) and octets is not null and revoked_ms is null
           and not_after_ms >= $2 group by utility, island order by utility collate "C", island collate "C"`,
        [authorities.map(bytes), now],
      );
      return rows as readonly Extent[];
    },
    meters: async (authorities, after, limit) => {
      const { rows } = await client.query(
        // Each authority's page by itself, in the order of its index: all of them together would be sorted for every page.
        `select distinct on (page.system_title) page.*
         from unnest($1::bytea[]) as wanted (authority), lateral (
           select distinct on (c.system_title) c.system_title, c.utility, c.island from certificates c
           where c.authority = wanted.authority and c.octets is not null and c.revoked_ms is null
             and c.system_title > coalesce($2::bytea, ''::bytea) order by c.system_title limit $3
         ) page order by page.system_title limit $3`,
        [authorities.map(bytes), after === undefined ? null : bytes(after), limit],
      );
      return (rows as readonly { system_title: Buffer; utility: string; island: string }[]).map((row) => ({
        systemTitle: toHex(row.system_title).toUpperCase(),
        utility: row.utility,
        island: row.island,
      }));
    },
    endings: async (now, moments) => {
      const { rows } = await client.query(
        `select profile, moments.before::bigint as before, count(*)::integer as count
         from unnest($2::bigint[], $3::bigint[]) as moments (since, before)
         join certificates on not_after_ms >= moments.since and not_after_ms < moments.before and revoked_ms is null
         where octets is not null and not_after_ms >= $1
         group by profile, moments.before order by profile collate "C", moments.before`,
        [now, moments.map((_, at) => moments[at - 1] ?? 0), moments],
      );
      return (rows as readonly { profile: string; before: string; count: number }[]).map(
        ({ profile, before, count }): Ending => ({ profile, before: Number(before), count }),
      );
    },
    newest: async (before, limit) => {
      const { rows } = await client.query(
        `select ${COLUMNS} from certificates where ordered_ms < $1 and octets is not null
         order by ordered_ms desc, authority, serial limit $2`,
        [before, limit],
      );
      return (rows as readonly CertificateRow[]).map(certificateOf);
    },
  };
}
