import type { ForeignEntries } from "@meterkeep/ledger";
import type { Pool, PoolClient } from "pg";
import pg from "pg";

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
  /** Lets the moment go. Safe to call twice. */
  close(): Promise<void>;
}

/** Where snapshots come from. */
export interface SnapshotSource {
  open(): Promise<Snapshot>;
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
 * of it: rows behind a gap in its numbers are not.
 */
export function postgresSnapshots(pool: Pool, foreign: Pick<ForeignEntries, "limit">): SnapshotSource {
  return {
    open: async () => {
      const client = await pool.connect();
      try {
        await client.query("begin transaction isolation level repeatable read, read only");
        const { limit } = foreign;
        const { rows } = await client.query<{ size: string }>(
          "select greatest(max(sequence), 0) as size from ledger where sequence <= $1",
          [limit],
        );
        return snapshotOf(client, Number(rows[0]?.size), limit);
      } catch (error) {
        client.release(true);
        throw error;
      }
    },
  };
}

function snapshotOf(client: PoolClient, ledgerSize: number, limit: string): Snapshot {
  let isOpen = true;
  return {
    ledgerSize,
    lines: async function* () {
      const { rows: migrations } = await client.query<AppliedMigration>(
        `select component, number, sha256 from ${OF_THE_SCHEMA} order by component, number`,
      );
      const start: SnapshotStart = { migrations, ledgerSize };
      yield JSON.stringify(start);
      for (const table of await tablesOf(client)) yield* tableLines(client, table, limit);
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

async function* tableLines(client: PoolClient, table: string, limit: string): AsyncGenerator<string> {
  const { rows: columns } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [`public.${pg.escapeIdentifier(table)}`],
  );
  yield JSON.stringify({ table, columns: columns.map(({ name }) => name) });
  const list = columns.map(({ name }) => `t.${pg.escapeIdentifier(name)}`).join(", ");
  await client.query(
    `declare backup_rows no scroll cursor for select row(${list})::text as line from ${pg.escapeIdentifier(table)} t
     ${table === "ledger" ? `where sequence <= ${pg.escapeLiteral(limit)}::bigint` : ""}`,
  );
  let count = 0;
  for (;;) {
    const { rows } = await client.query<{ line: string }>(`fetch ${ROWS_AT_ONCE} from backup_rows`);
    for (const { line } of rows) yield JSON.stringify(line);
    count += rows.length;
    if (rows.length < ROWS_AT_ONCE) break;
  }
  await client.query("close backup_rows");
  yield JSON.stringify({ rows: count });
}
