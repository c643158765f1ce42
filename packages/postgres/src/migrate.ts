import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type pg from "pg";
import { PostgresError } from "./error.ts";

/**
 * The migrations of one package: numbered files `0001-name.sql`, `0002-name.sql`, … that are only ever added to. Several
 * packages may own tables in one database (a head-end's and its ledger's); each has its own numbers.
 */
export interface MigrationSource {
  /** The package, for example `headend`. */
  readonly component: string;
  readonly directory: URL | string;
  /**
   * What the role at run time may do, by table: `{ ledger: "select, insert" }`. With it the schema can belong to an owner
   * of its own (`prepareSchema`); without it the role that connects must own what it uses.
   */
  readonly grants?: Readonly<Record<string, string>>;
}

/** What a run of {@link migrate} did. */
export interface MigrationReport {
  readonly applied: readonly string[];
  readonly alreadyThere: number;
}

/** A file of a {@link MigrationSource}. */
export interface Migration {
  readonly component: string;
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

interface AppliedRow {
  readonly component: string;
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
  readonly program: string;
}

/** "meterkeep" as a number: the advisory lock under which schemas change, so that processes that start together take turns. */
const LOCK = 0x6d6b_7363_6865;

const CREATE_LEDGER = `
  create table if not exists schema_migration (
    component text not null,
    number integer not null,
    name text not null,
    sha256 text not null,
    program text not null,
    applied_at timestamptz not null default now(),
    primary key (component, number)
  )`;

/**
 * Brings a database to the schema of this program: applies what is missing, in the order of the sources and their
 * numbers, each file in one transaction with its row in `schema_migration`.
 *
 * @throws {PostgresError} `schema-newer-than-program` when the database has a migration that the program does not know,
 * `migration-changed` when a file differs from what was applied, `migration-failed` when PostgreSQL refuses a file (the
 * database is then as the file before left it), `migrations-invalid` for numbers that leave a gap.
 */
export async function migrate(
  pool: Pick<pg.Pool, "connect">,
  sources: readonly MigrationSource[],
  program: { readonly version: string },
): Promise<MigrationReport> {
  const known = (await Promise.all(sources.map(readMigrations))).flat();
  const client = await pool.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [LOCK]);
    await client.query(CREATE_LEDGER);
    const { rows } = await client.query<AppliedRow>(
      "select component, number, name, sha256, program from schema_migration order by component, number",
    );
    checkApplied(known, rows, program.version);
    const done = new Set(rows.map(key));
    const pending = known.filter((migration) => !done.has(key(migration)));
    for (const migration of pending) await apply(client, migration, program.version);
    return { applied: pending.map(describe), alreadyThere: rows.length };
  } finally {
    // Closing the session is what surely gives the advisory lock back.
    client.release(true);
  }
}

/**
 * The migrations that a database still lacks, as far as the role of `pool` can see.
 *
 * @throws {PostgresError} `schema-newer-than-program`, `migration-changed`
 */
export async function pendingMigrations(
  pool: Pick<pg.Pool, "query">,
  sources: readonly MigrationSource[],
  program: { readonly version: string },
): Promise<readonly string[]> {
  const known = (await Promise.all(sources.map(readMigrations))).flat();
  const { rows } = await pool
    .query<AppliedRow>("select component, number, name, sha256, program from schema_migration")
    .catch((error: { code?: string }) => {
      // Not there yet, or made before this role had to be granted what it may see.
      if (error.code === "42P01" || error.code === "42501") return { rows: [] };
      throw error;
    });
  checkApplied(known, rows, program.version);
  const done = new Set(rows.map(key));
  return known.filter((migration) => !done.has(key(migration))).map(describe);
}

/** The migrations of a package as their files have them. @throws {PostgresError} `migrations-invalid` */
export async function readMigrations({ component, directory }: MigrationSource): Promise<Migration[]> {
  const base = directory instanceof URL ? directory : new URL(`file://${directory.replace(/\/?$/, "/")}`);
  const names = (await readdir(base)).filter((name) => name.endsWith(".sql")).sort();
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number(/^(\d{4})-[a-z0-9-]+\.sql$/.exec(name)?.[1]);
      if (number !== index + 1) {
        throw new PostgresError(
          "migrations-invalid",
          `${component}/${name} must be named ${String(index + 1).padStart(4, "0")}-some-words.sql: numbers leave no gap`,
        );
      }
      const sql = await readFile(new URL(name, base), "utf8");
      return { component, number, name, sql, sha256: createHash("sha256").update(sql).digest("hex") };
    }),
  );
}

function checkApplied(known: readonly Migration[], rows: readonly AppliedRow[], version: string): void {
  const byKey = new Map(known.map((migration) => [key(migration), migration]));
  for (const row of rows) {
    const migration = byKey.get(key(row));
    if (migration === undefined) {
      throw new PostgresError(
        "schema-newer-than-program",
        `the database has migration ${describe(row)}, applied by version ${row.program}, which this version ${version} does not know: start the newer program, or restore a backup from before it`,
      );
    }
    if (migration.sha256 !== row.sha256) {
      throw new PostgresError(
        "migration-changed",
        `${describe(row)} was changed after it was applied to this database: restore the file and put the change into a new migration`,
      );
    }
  }
}

async function apply(client: pg.PoolClient, migration: Migration, version: string): Promise<void> {
  const { component, number, name, sql, sha256 } = migration;
  try {
    await client.query("begin");
    await client.query(sql);
    await client.query(
      "insert into schema_migration (component, number, name, sha256, program) values ($1, $2, $3, $4, $5)",
      [component, number, name, sha256, version],
    );
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw new PostgresError("migration-failed", `${describe(migration)}: ${messageAndLine(error, sql)}`, {
      cause: error,
    });
  }
}

function messageAndLine(error: unknown, sql: string): string {
  if (!(error instanceof Error)) return String(error);
  const position = "position" in error ? Number(error.position) : Number.NaN;
  return Number.isFinite(position)
    ? `${error.message} (line ${sql.slice(0, position).split("\n").length})`
    : error.message;
}

function key({ component, number }: Pick<Migration, "component" | "number">): string {
  return `${component}/${number}`;
}

function describe({ component, name }: Pick<Migration, "component" | "name">): string {
  return `${component}/${name}`;
}
