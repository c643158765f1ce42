import { toHex } from "@meterkeep/dlms";
import { bytes, type CertificateRow, COLUMNS, certificateOf, type SqlClient } from "./certificate-rows.ts";
import type { Ending, Extent, MeterPlace, Registry } from "./registry.ts";

/** What is counted and listed of certificates, in PostgreSQL. */
export function viewsOf(client: SqlClient): Pick<Registry, "extent" | "meters" | "endings" | "newest"> {
  return {
    extent: async (authorities, now) => {
      const { rows } = await client.query(
        // Grouped by meter first: counting distinct titles would sort all of them.
        `select utility, island, sum(certificates)::integer as certificates, count(system_title)::integer as meters
         from (
           select utility, island, system_title, count(*) as certificates
           from certificates where authority = any($1::bytea[]) and octets is not null and revoked_ms is null
             and not_after_ms >= $2 group by utility, island, system_title
         ) as held group by utility, island order by utility collate "C", island collate "C"`,
        [authorities.map(bytes), now],
      );
      return rows as readonly Extent[];
    },
    meters: async (authorities, after, limit) => {
      const found = new Map<string, MeterPlace>();
      for (const authority of authorities)
        for (const meter of await metersOf(client, authority, after ?? "", limit)) found.set(meter.systemTitle, meter);
      return [...found.values()].sort((one, other) => (one.systemTitle < other.systemTitle ? -1 : 1)).slice(0, limit);
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
    newest: async ({ before, after }, limit) => {
      const { rows } = await client.query(
        `select ${COLUMNS} from certificates
         where ordered_ms <= $1 and (ordered_ms < $1 or (authority, serial) > ($2::bytea, $3::bytea)) and octets is not null
         order by ordered_ms desc, authority, serial limit $4`,
        // Behind nothing there is nothing of the moment itself: a row compared with null is not chosen.
        [
          before,
          after === undefined ? null : bytes(after.authority),
          after === undefined ? null : bytes(after.serial),
          limit,
        ],
      );
      return (rows as readonly CertificateRow[]).map(certificateOf);
    },
  };
}

/**
 * Rows that are read at once: so few, and chosen by what the index has alone, that it is followed where nothing has
 * gathered statistics. Every further condition makes the planner expect a single row, and sort a million for it.
 */
const ROWS = 100;

/** The next meters of one authority, in the order of its index: distinct titles asked for in SQL would be sorted for every page. */
async function metersOf(client: SqlClient, authority: string, after: string, limit: number): Promise<MeterPlace[]> {
  const meters = new Map<string, MeterPlace>();
  for (let last = after; meters.size < limit; ) {
    const { rows } = await client.query(
      `select system_title, utility, island, octets is not null and revoked_ms is null as stands
       from certificates where authority = $1 and system_title > $2
       order by authority, system_title limit $3`,
      [bytes(authority), bytes(last), ROWS],
    );
    for (const { system_title: title, utility, island, stands } of rows as readonly MeterRow[]) {
      last = toHex(title).toUpperCase();
      if (stands && !meters.has(last)) meters.set(last, { systemTitle: last, utility, island });
    }
    if (rows.length < ROWS) break;
    // What is left of the last one's rows is passed over.
    if (!meters.has(last)) for (const meter of await standing(client, authority, last)) meters.set(last, meter);
  }
  return [...meters.values()].slice(0, limit);
}

async function standing(client: SqlClient, authority: string, title: string): Promise<MeterPlace[]> {
  const { rows } = await client.query(
    `select utility, island from certificates
     where authority = $1 and system_title = $2 and octets is not null and revoked_ms is null limit 1`,
    [bytes(authority), bytes(title)],
  );
  return (rows as readonly Omit<MeterPlace, "systemTitle">[]).map((place) => ({ systemTitle: title, ...place }));
}

interface MeterRow {
  readonly system_title: Buffer;
  readonly utility: string;
  readonly island: string;
  readonly stands: boolean;
}
