import type { LedgerEntry } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import { ForeignEntries } from "./foreign-entries.ts";
import type { Growth } from "./growth.ts";
import type { LedgerStore } from "./store.ts";
import type { CompletedNode } from "./tree/frontier.ts";

/** What the adapter needs of a `pg` pool or client. */
export interface SqlClient {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>;
}

/** The folder of this package's migrations, for the databases that hold a ledger. */
export const LEDGER_MIGRATIONS = new URL("../migrations/", import.meta.url);

/** What the role at run time may do with a ledger: neither change nor remove what was written. */
export const LEDGER_GRANTS = {
  ledger: "select, insert",
  ledger_nodes: "select, insert",
  ledger_checkpoints: "select, insert",
  ledger_cosignatures: "select, insert",
} as const;

/** A ledger in the table `ledger`; give it a client inside a transaction to append together with other writes. */
export function postgresLedgerStore(client: SqlClient, foreign = new ForeignEntries()): LedgerStore {
  return {
    foreign,
    size: async () => {
      const { rows } = await client.query("select greatest(max(sequence), 0) as size from ledger");
      return Number((rows[0] as { readonly size: string }).size);
    },
    append: async (growth) => {
      await appendEntries(client, growth);
      await insertNodes(client, growth.nodes);
    },
    addNodes: (nodes) => insertNodes(client, nodes),
    read: async (after, limit) => {
      const { rows } = await client.query(
        `select sequence, at_ms, kind, principal, utility, island, meter, body, leaf
         from ledger where sequence > greatest($1, 0) order by sequence limit $2`,
        [after, limit],
      );
      return (rows as readonly LedgerRow[]).map(entryOfRow);
    },
    ofItself: async () => {
      const { rows } = await client.query(
        `select sequence, at_ms, kind, principal, utility, island, meter, body, leaf
         from ledger where kind like 'ledger-%' ${foreign.condition} order by sequence`,
      );
      return (rows as readonly LedgerRow[]).map(entryOfRow);
    },
    ofKinds: async (kinds) => {
      const { rows } = await client.query(
        `select sequence, at_ms, kind, principal, utility, island, meter, body, leaf
         from ledger where kind = any($1) ${foreign.condition} order by sequence`,
        [[...kinds]],
      );
      return (rows as readonly LedgerRow[]).map(entryOfRow);
    },
    ofMeters: async (meters, kinds) => {
      const { rows } = await client.query(
        `select sequence, at_ms, kind, principal, utility, island, meter, body, leaf
         from ledger where kind = any($1) and meter = any($2) ${foreign.condition} order by sequence`,
        [[...kinds], [...meters]],
      );
      return (rows as readonly LedgerRow[]).map(entryOfRow);
    },
    lastOf: async (kinds, principal, utility) => {
      const { rows } = await client.query(
        `select sequence, at_ms, kind, principal, utility, island, meter, body, leaf from ledger
         where kind = any($1) and principal = $2 and utility = $3 ${foreign.condition} order by sequence desc limit 1`,
        [[...kinds], principal, utility],
      );
      const [row] = rows as readonly LedgerRow[];
      return row && entryOfRow(row);
    },
    ends: async (size, limit) => {
      const { rows } = await client.query(
        "select sequence, end_mac from ledger where end_mac is not null and sequence between 1 and $1 order by sequence desc limit $2",
        [size, limit],
      );
      return (rows as readonly { readonly sequence: string; readonly end_mac: Uint8Array }[]).map((row) => ({
        size: Number(row.sequence),
        mac: new Uint8Array(row.end_mac),
      }));
    },
    nodes: async (level, from, count) => {
      const { rows } =
        level === 0
          ? await client.query(
              "select leaf as hash from ledger where sequence > $1 and sequence <= $2 order by sequence",
              [from, from + count],
            )
          : await client.query(
              "select hash from ledger_nodes where level = $1 and index >= $2 and index < $3 order by index",
              [level, from, from + count],
            );
      return (rows as readonly { readonly hash: Uint8Array }[]).map(({ hash }) => new Uint8Array(hash));
    },
  };
}

// The stored ledger must end where the new entries begin: with as many entries, and with the same one.
const APPEND = `
  insert into ledger (sequence, at_ms, kind, principal, utility, island, meter, body, leaf, end_mac)
  select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::bytea[], $12::bytea[])
  where (select greatest(max(sequence), 0) from ledger) = $10::bigint
    and ($10 = 0 or (select leaf from ledger where sequence = $10) = $11::bytea)`;

async function appendEntries(client: SqlClient, { from, entries, endMac }: Growth): Promise<void> {
  if (entries.length === 0) return;
  const { size } = from.frontier;
  const inserted = await client
    .query(APPEND, [
      entries.map((entry) => entry.sequence),
      entries.map((entry) => entry.at),
      entries.map((entry) => entry.kind),
      entries.map((entry) => entry.principal),
      entries.map((entry) => entry.utility),
      entries.map((entry) => entry.island),
      entries.map((entry) => entry.meter ?? null),
      entries.map((entry) => entry.body),
      entries.map((entry) => Buffer.from(entry.leaf)),
      size,
      from.lastLeaf === undefined ? null : Buffer.from(from.lastLeaf),
      entries.map((_, at) => (at === entries.length - 1 && endMac !== undefined ? Buffer.from(endMac) : null)),
    ])
    .catch((error: unknown) => {
      throw (error as { code?: string }).code === UNIQUE_VIOLATION ? forked(size + 1, error) : error;
    });
  if (inserted.rowCount !== entries.length) throw forked(size + 1);
}

async function insertNodes(client: SqlClient, nodes: readonly CompletedNode[]): Promise<void> {
  if (nodes.length === 0) return;
  await client.query(
    `insert into ledger_nodes (level, index, hash)
     select * from unnest($1::smallint[], $2::bigint[], $3::bytea[]) on conflict do nothing`,
    [nodes.map(({ level }) => level), nodes.map(({ index }) => index), nodes.map(({ hash }) => Buffer.from(hash))],
  );
}

const UNIQUE_VIOLATION = "23505";

function forked(sequence: number, cause?: unknown): LedgerError {
  return new LedgerError(
    "ledger-forked",
    `entry ${sequence} is not the next one of the stored ledger: does another process write it, or was an older one put back?`,
    { cause },
  );
}

interface LedgerRow {
  readonly sequence: string;
  readonly at_ms: string;
  readonly kind: string;
  readonly principal: string;
  readonly utility: string;
  readonly island: string;
  readonly meter: string | null;
  readonly body: string;
  readonly leaf: Uint8Array;
}

function entryOfRow(row: LedgerRow): LedgerEntry {
  return {
    sequence: Number(row.sequence),
    at: Number(row.at_ms),
    kind: row.kind,
    principal: row.principal,
    utility: row.utility,
    island: row.island,
    meter: row.meter ?? undefined,
    body: row.body,
    leaf: new Uint8Array(row.leaf),
  };
}
