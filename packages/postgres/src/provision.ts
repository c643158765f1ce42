import { randomBytes } from "node:crypto";
import pg from "pg";
import { withCredentials } from "./connection-url.ts";
import { PostgresError } from "./error.ts";

/** A database with the one role that owns it and may connect to it. */
export interface OwnedDatabase {
  readonly database: string;
  readonly role: string;
  /** The role's password; it is set anew at every call. */
  readonly password: string;
}

/** The oldest server whose SQL and defaults (no CREATE on schema public) this program relies on. */
const MIN_SERVER_VERSION = 150_000;

/** A password that no one has to type: 256 random bits. */
export function randomPassword(): string {
  return randomBytes(32).toString("base64url");
}

/**
 * Makes roles and databases where they are missing, and sees to it that each role can connect to its own database alone.
 * Running it again changes nothing but the passwords.
 *
 * @param adminUrl a user that may create roles and databases: the embedded superuser, or what `DATABASE_URL` names
 * @returns a connection string for each database, in the order given
 * @throws {PostgresError} `server-unreachable`, `server-too-old`, or `provision-refused` when the user may not do it
 */
export async function provision(adminUrl: string, databases: readonly OwnedDatabase[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw new PostgresError("server-unreachable", `cannot connect to PostgreSQL: ${messageOf(error)}`, {
      cause: error,
    });
  }
  try {
    const version = await checkVersion(client);
    for (const owned of databases) await provisionOne(client, owned, version);
  } catch (error) {
    if (error instanceof PostgresError) throw error;
    throw new PostgresError(
      "provision-refused",
      `cannot make databases and roles: ${messageOf(error)}. The user of DATABASE_URL needs CREATEDB and CREATEROLE`,
      { cause: error },
    );
  } finally {
    await client.end();
  }
  return databases.map(({ database, role, password }) => withCredentials(adminUrl, { database, user: role, password }));
}

async function checkVersion(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ version: string; number: number }>(
    "select current_setting('server_version') as version, current_setting('server_version_num')::integer as number",
  );
  const { version, number } = rows[0]!;
  if (number < MIN_SERVER_VERSION) {
    throw new PostgresError("server-too-old", `the server is PostgreSQL ${version}; version 15 or later is needed`);
  }
  return number;
}

async function provisionOne(
  client: pg.Client,
  { database, role, password }: OwnedDatabase,
  serverVersion: number,
): Promise<void> {
  const [quotedRole, quotedDatabase] = [pg.escapeIdentifier(role), pg.escapeIdentifier(database)];
  const known = await client.query("select 1 from pg_roles where rolname = $1", [role]);
  const verb = known.rowCount === 0 ? "create" : "alter";
  await client.query(`${verb} role ${quotedRole} with login password ${pg.escapeLiteral(password)}`);
  const existing = await client.query("select 1 from pg_database where datname = $1", [database]);
  if (existing.rowCount === 0) {
    // A user who is no superuser must be a member of the role to give it a database; the membership ends here.
    // Since PostgreSQL 16 a member may be one without being allowed to act as the role, which is what counts here.
    const { rows } = await client.query<{ member: boolean }>("select pg_has_role($1, $2) as member", [
      role,
      serverVersion >= 160_000 ? "set" : "member",
    ]);
    const borrowed = rows[0]?.member !== true;
    if (borrowed) await client.query(`grant ${quotedRole} to current_user`);
    try {
      await client.query(`create database ${quotedDatabase} owner ${quotedRole} encoding 'UTF8' template template0`);
    } finally {
      if (borrowed) await client.query(`revoke ${quotedRole} from current_user`);
    }
  }
  await isolate(client, database, quotedDatabase, quotedRole);
}

/** Takes the database from everybody but its owner. Only an owner's or superuser's revoke takes effect, so this is checked. */
async function isolate(client: pg.Client, database: string, quotedDatabase: string, quotedRole: string): Promise<void> {
  const open = async (): Promise<boolean> => {
    const { rows } = await client.query<{ open: boolean }>(
      `select exists (
         select from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) as grants
         where datname = $1 and grants.grantee = 0) as open`,
      [database],
    );
    return rows[0]?.open === true;
  };
  if (!(await open())) return;
  await client.query(`revoke all on database ${quotedDatabase} from public`);
  if (!(await open())) return;
  await client.query(`grant ${quotedRole} to current_user`);
  try {
    await client.query(`set role ${quotedRole}`);
    await client.query(`revoke all on database ${quotedDatabase} from public`);
    await client.query("reset role");
  } finally {
    await client.query(`revoke ${quotedRole} from current_user`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
