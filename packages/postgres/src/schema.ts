import { createHash } from "node:crypto";
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

/** "meterkeep owner" as a number: the advisory lock under which one process after another looks whether the owner's password is good. */
const OWNER_LOCK = 0x6d6b_6f77_6e72;
/** How the database says, to everybody, which password of its owner has been used up: by its hash, and the password is 256 random bits. */
const USED_UP = "the owner's password is used up: ";

/**
 * Brings a schema that belongs to an owner of its own to that of this program, grants the role at run time what the
 * sources say and nothing else, and closes the owner's login.
 *
 * Processes that start together take turns, and a password that one of them has used up is not tried by the others, nor by one
 * that starts again: PostgreSQL would log it as somebody's attempt to get in.
 *
 * @throws {PostgresError} `schema-owner-missing` when something is to be changed and the owner cannot log in;
 * `migrations-invalid` for a source without grants; what `migrate` throws
 */
export async function prepareSchema({ pool, ownerUrl, sources, version }: SchemaOptions): Promise<MigrationReport> {
  const client = await pool.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [OWNER_LOCK]);
    const pending = await pendingMigrations(client, sources, { version });
    const owner = ownerUrl === undefined || (await isUsedUp(client, ownerUrl)) ? undefined : await logIn(ownerUrl);
    if (owner === undefined) {
      if (pending.length === 0) return { applied: [], alreadyThere: 0 };
      throw new PostgresError(
        "schema-owner-missing",
        `the database lacks ${pending.join(", ")}, and its owner, who alone may add it, cannot log in: start with meterkeep start, which gives the owner a new password`,
      );
    }
    try {
      const { rows } = await client.query<{ role: string }>("select current_user as role");
      const report = await migrate(owner, sources, { version });
      await grant(owner, rows[0]!.role, sources);
      await useUp(owner, ownerUrl as string);
      return report;
    } finally {
      await owner.end();
    }
  } finally {
    // Closing the session is what surely gives the advisory lock back.
    client.release(true);
  }
}

/** Makes the password void, and says which one it was. */
async function useUp(owner: pg.Pool, ownerUrl: string): Promise<void> {
  const { rows } = await owner.query<{ name: string }>("select current_database() as name");
  const said = pg.escapeLiteral(USED_UP + hashOf(ownerUrl));
  await owner.query(
    `alter role current_user password null; comment on database ${pg.escapeIdentifier(rows[0]!.name)} is ${said}`,
  );
}

async function isUsedUp(client: Pick<pg.PoolClient, "query">, ownerUrl: string): Promise<boolean> {
  const { rows } = await client.query<{ said: string | null }>(
    "select shobj_description(oid, 'pg_database') as said from pg_database where datname = current_database()",
  );
  return rows[0]?.said === USED_UP + hashOf(ownerUrl);
}

function hashOf(ownerUrl: string): string {
  return createHash("sha256")
    .update(decodeURIComponent(new URL(ownerUrl).password))
    .digest("hex");
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
