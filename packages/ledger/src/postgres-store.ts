import { EMPTY_LEDGER, type LedgerEntry, type LedgerHead } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import type { LedgerStore } from "./store.ts";

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
export const LEDGER_GRANTS = { ledger: "select, insert" } as const;

/** A ledger in the table `ledger`; give it a client inside a transaction to append together with other writes. */
export function postgresLedgerStore(client: SqlClient): LedgerStore {
  return {
    head: () => readHead(client),
    append: (entries) => appendEntries(client, entries),
    read: async (after, limit) => {
      const { rows } = await client.query(
        `select sequence, at_ms, kind, principal, utility, island, meter, body, previous_hash, hash
         from ledger where sequence > $1 order by sequence limit $2`,
        [after, limit],
      );
      return (rows as readonly LedgerRow[]).map(entryOfRow);
    },
  };
}

async function readHead(client: SqlClient): Promise<LedgerHead> {
  const { rows } = await client.query("select sequence, hash from ledger order by sequence desc limit 1");
  const row = rows[0] as Pick<LedgerRow, "sequence" | "hash"> | undefined;
  return row === undefined ? EMPTY_LEDGER : { sequence: Number(row.sequence), hash: new Uint8Array(row.hash) };
}

const APPEND = `
  insert into ledger (sequence, at_ms, kind, principal, utility, island, meter, body, previous_hash, hash)
  select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::bytea[], $10::bytea[])
  where (select coalesce(max(sequence), 0) from ledger) = $11::bigint`;

async function appendEntries(client: SqlClient, entries: readonly LedgerEntry[]): Promise<void> {
  const first = entries[0];
  if (first === undefined) return;
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
      entries.map((entry) => Buffer.from(entry.previousHash)),
      entries.map((entry) => Buffer.from(entry.hash)),
      first.sequence - 1,
    ])
    .catch((error: unknown) => {
      throw (error as { code?: string }).code === UNIQUE_VIOLATION ? forked(first.sequence, error) : error;
    });
  if (inserted.rowCount !== entries.length) throw forked(first.sequence);
}

const UNIQUE_VIOLATION = "23505";

function forked(sequence: number, cause?: unknown): LedgerError {
  return new LedgerError(
    "ledger-forked",
    `entry ${sequence} is not the next one of the stored ledger: does another process write it?`,
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
  readonly previous_hash: Uint8Array;
  readonly hash: Uint8Array;
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
    previousHash: new Uint8Array(row.previous_hash),
    hash: new Uint8Array(row.hash),
  };
}
