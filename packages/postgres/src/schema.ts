import pg from "pg";
import { PostgresError } from "./error.ts";
import { type MigrationReport, type MigrationSource, migrate, pendingMigrations } from "./migrate.ts";
import { createPool } from "./pool.ts";

/** SQLSTATE of a login that was refused: wrong password, or none may be used. */
const LOGIN_REFUSED: readonly unknown[] = ["28P01", "28000"];

/** What {@link prepareSchema} works on. */
export interface SchemaOptions {
  /** The role that works in the database at run time: it sees the schema and cannot change it. */
  readonly pool: pg.Pool;
  /**
   * Connection string of the database's owner. Its password is good for one use: afterwards nobody can log in as the
   * owner until an installer sets another one.
   */
  readonly ownerUrl: string | undefined;
  /** Each with its `grants`. */
  readonly sources: readonly MigrationSource[];
  /** The version of the program. */
  readonly version: string;
}

/**
 * Brings a schema that belongs to an owner of its own to that of this program, grants the role at run time what the
 * sources say and nothing else, and closes the owner's login.
 *
 * @throws {PostgresError} `schema-owner-missing` when something is to be changed and the owner cannot log in;
 * `migrations-invalid` for a source without grants; what `migrate` throws
 */
export async function prepareSchema({ pool, ownerUrl, sources, version }: SchemaOptions): Promise<MigrationReport> {
  const pending = await pendingMigrations(pool, sources, { version });
  const owner = ownerUrl === undefined ? undefined : await logIn(ownerUrl);
  if (owner === undefined) {
    if (pending.length === 0) return { applied: [], alreadyThere: 0 };
    throw new PostgresError(
      "schema-owner-missing",
      `the database lacks ${pending.join(", ")}, and its owner, who alone may add it, cannot log in: start with meterkeep start, which gives the owner a new password`,
    );
  }
  try {
    const { rows } = await pool.query<{ role: string }>("select current_user as role");
    const report = await migrate(owner, sources, { version });
    await grant(owner, rows[0]!.role, sources);
    await owner.query("alter role current_user password null");
    return report;
  } finally {
    await owner.end();
  }
}

async function logIn(ownerUrl: string): Promise<pg.Pool | undefined> {
  const owner = createPool(ownerUrl, { applicationName: "meterkeep-schema", maxConnections: 1 });
  try {
    await owner.query("select 1");
    return owner;
  } catch (error) {
    await owner.end();
    if (LOGIN_REFUSED.includes((error as { code?: unknown }).code)) return undefined;
    throw error;
  }
}

/** Takes everything from the role and grants anew what the sources say, so that what they no longer say is gone. */
async function grant(owner: pg.Pool, role: string, sources: readonly MigrationSource[]): Promise<void> {
  const quotedRole = pg.escapeIdentifier(role);
  const statements = [
    `revoke all on all tables in schema public from ${quotedRole}`,
    `revoke all on all sequences in schema public from ${quotedRole}`,
    `grant select on schema_migration to ${quotedRole}`,
  ];
  for (const { component, grants } of sources) {
    if (grants === undefined)
      throw new PostgresError("migrations-invalid", `${component} does not say what the role at run time may do`);
    for (const [table, privileges] of Object.entries(grants))
      statements.push(`grant ${privileges} on table ${pg.escapeIdentifier(table)} to ${quotedRole}`);
  }
  // One query string is one transaction: nobody sees the role with less than it needs.
  await owner.query(statements.join(";\n"));
}
