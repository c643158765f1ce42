import {
  ENTRY_COLUMNS,
  type EntryRow,
  entryAsStored,
  type ForeignEntries,
  postgresLedgerStore,
  type StoredEntry,
  type TreeHead,
} from "@meterkeep/ledger";
import type { Pool, PoolClient } from "pg";
import pg from "pg";
import { CallRefusal } from "../calls/call-refusal.ts";
import { LedgerFaultFinder, type LedgerFaults, tellFaults } from "./ledger-faults.ts";

/** The migrations that a database had when it was read. */
export interface AppliedMigration {
  readonly component: string;
  readonly number: number;
  readonly sha256: string;
}

/**
 * A custodian's database at one moment, as lines of JSON: first what it is, then each table (`{"table","columns"}`, a
 * text for each row as PostgreSQL writes a composite value, `{"rows"}`), then the values of sequences, then the end. Every
 * table is in it, whoever has added it.
 */
export interface Snapshot {
  /** How many entries the ledger in it has. */
  readonly ledgerSize: number;
  lines(): AsyncGenerator<string>;
  /** What is wrong with the ledger in it, by the lines that were read. */
  readonly faults: LedgerFaults;
  /** Lets the moment go. Safe to call twice. */
  close(): Promise<void>;
}

/** Where snapshots come from. */
export interface SnapshotSource {
  /** @param head where the ledger was at least, by this custodian's last checkpoint */
  open(head: TreeHead | undefined): Promise<Snapshot>;
}

/** The line that begins a snapshot. */
export interface SnapshotStart {
  readonly migrations: readonly AppliedMigration[];
  readonly ledgerSize: number;
}

const ROWS_AT_ONCE = 2000;
/** Made by the program itself when the schema is. */
const OF_THE_SCHEMA = "schema_migration";

/**
 * Snapshots of a database in PostgreSQL: one transaction that sees one moment, beside which writing goes on. Of the ledger what is
 * of it: rows behind a gap in its numbers are not, whoever has put them there a moment ago.
 */
export function postgresSnapshots(pool: Pool, foreign: ForeignEntries): SnapshotSource {
  return {
    open: async (head) => {
      const client = await pool.connect();
      try {
        await client.query("begin transaction isolation level repeatable read, read only");
        const { last } = await postgresLedgerStore(client, foreign).follow(head?.size ?? 0);
        return snapshotOf(client, foreign, last, head);
      } catch (error) {
        client.release(true);
        throw error;
      }
    },
  };
}

function snapshotOf(
  client: PoolClient,
  foreign: ForeignEntries,
  ledgerSize: number,
  head: TreeHead | undefined,
): Snapshot {
  let isOpen = true;
  const finder = new LedgerFaultFinder(head);
  const take = async (rows: readonly StoredEntry[]) => {
    const differing = finder.take(rows);
    if (differing.length > 0) await tellFaults(foreign, differing, { missing: [] });
  };
  return {
    ledgerSize,
    get faults() {
      return finder.found(ledgerSize);
    },
    lines: async function* () {
      const { rows: migrations } = await client.query<AppliedMigration>(
        `select component, number, sha256 from ${OF_THE_SCHEMA} order by component, number`,
      );
      const start: SnapshotStart = { migrations, ledgerSize };
      yield JSON.stringify(start);
      for (const table of await tablesOf(client))
        yield* table === "ledger" ? ledgerLines(client, ledgerSize, take) : tableLines(client, table);
      await tellFaults(foreign, [], finder.found(ledgerSize));
      const { rows: sequences } = await client.query<{ name: string; value: string | null }>(
        "select sequencename as name, last_value as value from pg_sequences where schemaname = 'public' order by 1",
      );
      yield JSON.stringify({ sequences });
      yield JSON.stringify({ end: true });
    },
    close: async () => {
      if (!isOpen) return;
      isOpen = false;
      try {
        await client.query("rollback");
        client.release();
      } catch {
        client.release(true);
      }
    },
  };
}

/** Every table, those that others refer to first. */
export async function tablesOf(client: Pick<PoolClient, "query">): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; needs: string[] }>(
    `select c.relname as name, coalesce(array_agg(distinct f.relname::text) filter (where f.relname is not null
       and f.oid <> c.oid), '{}') as needs
     from pg_class c left join pg_constraint k on k.conrelid = c.oid and k.contype = 'f'
       left join pg_class f on f.oid = k.confrelid
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
     group by c.relname order by c.relname`,
  );
  const ordered: string[] = [];
  let left = rows.filter(({ name }) => name !== OF_THE_SCHEMA);
  while (left.length > 0) {
    const ready = left.filter(({ needs }) => needs.every((name) => ordered.includes(name)));
    // Tables that need each other: their foreign keys would have to be deferred, which none of ours are.
    if (ready.length === 0) throw new Error(`tables refer to each other: ${left.map(({ name }) => name).join(", ")}`);
    ordered.push(...ready.map(({ name }) => name));
    left = left.filter((one) => !ready.includes(one));
  }
  return ordered;
}

async function* tableLines(client: PoolClient, table: string): AsyncGenerator<string> {
  const columns = await columnsOf(client, table);
  yield JSON.stringify({ table, columns });
  const list = columns.map((name) => `t.${pg.escapeIdentifier(name)}`).join(", ");
  const rows = fetched<{ line: string }>(
    client,
    `select left(row(${list})::text, ${MOST_ROW_CHARACTERS + 1}) as line from ${pg.escapeIdentifier(table)} t`,
  );
  let count = 0;
  for await (const page of rows)
    for (const { line } of page) {
      if (line.length > MOST_ROW_CHARACTERS)
        throw new CallRefusal(
          "backup-not-possible",
          `a row of table ${table} has more than ${MOST_ROW_CHARACTERS} characters`,
        );
      count += 1;
      yield JSON.stringify(line);
    }
  yield JSON.stringify({ rows: count });
}

/** Entries in order, each as it is stored; of a text that is longer than any entry's no more than that. */
async function* ledgerLines(
  client: PoolClient,
  size: number,
  take: (rows: readonly StoredEntry[]) => Promise<void>,
): AsyncGenerator<string> {
  const columns = await columnsOf(client, "ledger");
  yield JSON.stringify({ table: "ledger", columns });
  const list = columns.map((name) => {
    const most = MOST_CHARACTERS[name];
    return most === undefined ? `t.${pg.escapeIdentifier(name)}` : `left(t.${pg.escapeIdentifier(name)}, ${most})`;
  });
  const rows = fetched<EntryRow & { line: string }>(
    client,
    `select row(${list.join(", ")})::text as line, ${ENTRY_COLUMNS} from ledger t
     where sequence between 1 and ${size} order by sequence`,
  );
  let count = 0;
  for await (const page of rows) {
    await take(page.map(entryAsStored));
    count += page.length;
    for (const { line } of page) yield JSON.stringify(line);
  }
  yield JSON.stringify({ rows: count });
}

async function columnsOf(client: PoolClient, table: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [`public.${pg.escapeIdentifier(table)}`],
  );
  return rows.map(({ name }) => name);
}

async function* fetched<Row extends pg.QueryResultRow>(client: PoolClient, text: string): AsyncGenerator<Row[]> {
  await client.query(`declare backup_rows no scroll cursor for ${text}`);
  for (;;) {
    const { rows } = await client.query<Row>(`fetch ${ROWS_AT_ONCE} from backup_rows`);
    if (rows.length > 0) yield rows;
    if (rows.length < ROWS_AT_ONCE) break;
  }
  await client.query("close backup_rows");
}

/** Nothing that a custodian writes is as long; half a gigabyte is more than one text can have here. */
const MOST_ROW_CHARACTERS = 8 * 1024 * 1024;
/** Of the texts of an entry: one more than it has. */
const MOST_CHARACTERS: Readonly<Record<string, number>> = {
  body: 64 * 1024 + 1,
  kind: 1024,
  principal: 1024,
  utility: 1024,
  island: 1024,
  meter: 1024,
};
