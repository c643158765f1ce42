import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inTransaction, type MigrationSource, migrate } from "@meterkeep/postgres";
import pg from "pg";
import { CustodyError } from "../errors.ts";
import type { Restoration } from "../store/store.ts";
import type { SnapshotStart } from "./snapshot.ts";

const ROWS_AT_ONCE = 1000;

/** What was loaded. */
export interface LoadedSnapshot {
  readonly ledgerSize: number;
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>;
}

/**
 * Loads a snapshot into an empty database, as its owner: the schema as it was then, then the rows and the mark of the
 * restoration in one transaction.
 * What the program has added to the schema since comes after, by `prepareSchema`.
 *
 * @throws CustodyError `restore-refused` where the database is not empty; `backup-not-authentic` where a count differs
 */
export async function loadSnapshot(
  owner: pg.Pool,
  lines: AsyncIterable<string>,
  sources: readonly MigrationSource[],
  version: string,
  mark: Restoration,
): Promise<LoadedSnapshot> {
  await requireEmpty(owner);
  const iterator = lines[Symbol.asyncIterator]();
  const read = async (): Promise<Readonly<Record<string, unknown>> | string> => {
    const next = await iterator.next();
    if (next.done === true) throw new CustodyError("backup-not-authentic", "the backup ends too early");
    return JSON.parse(next.value) as Record<string, unknown> | string;
  };
  const start = (await read()) as unknown as SnapshotStart;
  await migrateAsThen(owner, sources, start, version);
  const tables: Record<string, number> = {};
  await inTransaction(owner, async (client) => {
    for (;;) {
      const line = await read();
      if (typeof line === "string") throw new CustodyError("backup-not-authentic", "a row stands outside its table");
      if (line["end"] === true) break;
      if (Array.isArray(line["sequences"])) await setSequences(client, line["sequences"] as readonly SequenceValue[]);
      else if (typeof line["table"] === "string")
        tables[line["table"]] = await loadTable(client, line["table"], line["columns"] as readonly string[], read);
      else throw new CustodyError("backup-not-authentic", "a line of the backup is not understood");
    }
    // In the same transaction: nobody finds these rows and not where they came from.
    await client.query("insert into restorations (backup, restored_ms, known_until_ms) values ($1, $2, $3)", [
      mark.backup,
      mark.restoredAt,
      mark.knownUntil,
    ]);
  });
  return { ledgerSize: start.ledgerSize, tables };
}

/** Empty is also what a restore left that was killed before its rows were there. @throws CustodyError `restore-refused` */
async function requireEmpty(owner: pg.Pool): Promise<void> {
  for (const table of ["ledger", "vault_roots"]) {
    const { rows } = await owner.query<{ there: string | null }>("select to_regclass($1) as there", [
      `public.${table}`,
    ]);
    if (rows[0]?.there === null) continue;
    const held = await owner.query(`select from ${table} limit 1`);
    if (held.rowCount !== 0)
      throw new CustodyError(
        "restore-refused",
        "the database holds a custodian already: a backup is restored into an empty one",
      );
  }
}

interface SequenceValue {
  readonly name: string;
  readonly value: string | null;
}

async function setSequences(client: pg.PoolClient, values: readonly SequenceValue[]): Promise<void> {
  for (const { name, value } of values)
    if (value !== null)
      await client.query("select setval($1::regclass, $2::bigint)", [pg.escapeIdentifier(name), value]);
}

async function loadTable(
  client: pg.PoolClient,
  table: string,
  columns: readonly string[],
  read: () => Promise<Readonly<Record<string, unknown>> | string>,
): Promise<number> {
  const name = pg.escapeIdentifier(table);
  const { rows: generated } = await client.query<{ name: string }>(
    "select attname as name from pg_attribute where attrelid = $1::regclass and attgenerated <> '' and attnum > 0",
    [name],
  );
  const stored = columns.filter((column) => generated.every((one) => one.name !== column)).map(pg.escapeIdentifier);
  // Rows that a migration has made itself are in the backup as well, as they were then.
  await client.query(`delete from ${name}`);
  const insert = `with given as materialized (select line::${name} as r from unnest($1::text[]) as line)
    insert into ${name} (${stored.join(", ")}) overriding system value
    select ${stored.map((column) => `(r).${column}`).join(", ")} from given`;
  let waiting: string[] = [];
  let count = 0;
  const flush = async (): Promise<void> => {
    if (waiting.length > 0) await client.query(insert, [waiting]);
    count += waiting.length;
    waiting = [];
  };
  for (;;) {
    const line = await read();
    if (typeof line === "string") {
      waiting.push(line);
      if (waiting.length >= ROWS_AT_ONCE) await flush();
      continue;
    }
    await flush();
    if (line["rows"] !== count)
      throw new CustodyError(
        "backup-not-authentic",
        `table ${table} has ${count} rows, not the ${line["rows"]} it had`,
      );
    return count;
  }
}

/** Brings an empty database to the schema that the snapshot's had: the first migrations of each package. */
async function migrateAsThen(
  owner: pg.Pool,
  sources: readonly MigrationSource[],
  { migrations }: SnapshotStart,
  version: string,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-schema-"));
  try {
    const then = sources.flatMap(({ component, directory }) => {
      const count = migrations.filter((one) => one.component === component).length;
      if (count === 0) return [];
      const from = typeof directory === "string" ? directory : fileURLToPath(directory);
      const to = join(folder, component);
      const names = readdirSync(from)
        .filter((name) => name.endsWith(".sql"))
        .sort();
      if (names.length < count)
        throw new CustodyError(
          "restore-refused",
          `the backup is of a newer program: it has ${count} migrations of ${component}, this one knows ${names.length}`,
        );
      for (const name of names.slice(0, count)) cpSync(join(from, name), join(to, name));
      return [{ component, directory: to }];
    });
    await migrate(owner, then, { version });
    const { rows } = await owner.query<{ component: string; number: number; sha256: string }>(
      "select component, number, sha256 from schema_migration",
    );
    const differs = migrations.find(
      (one) =>
        !rows.some((row) => row.component === one.component && row.number === one.number && row.sha256 === one.sha256),
    );
    if (differs !== undefined)
      throw new CustodyError(
        "restore-refused",
        `migration ${differs.component}/${differs.number} is not the one that the backup was made under`,
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
