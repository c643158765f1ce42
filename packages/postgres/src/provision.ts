import { randomBytes } from "node:crypto";
import pg from "pg";
import { withCredentials } from "./connection-url.ts";
import { PostgresError } from "./error.ts";

/** A role that can log in. */
export interface LoginRole {
  readonly role: string;
  /** The role's password; it is set anew at every call. */
  readonly password: string;
}

/** A database with the one role that may connect to it at run time. */
export interface OwnedDatabase extends LoginRole {
  readonly database: string;
  /**
   * Who owns the database and everything in it, where that is not the role itself: it makes and changes the schema
   * (`prepareSchema`), and `role` can then do no more than it is granted.
   */
  readonly owner?: LoginRole;
}

/** The oldest server whose SQL and defaults (no CREATE on schema public) this program relies on. */
const MIN_SERVER_VERSION = 150_000;

/**
 * Connections that one role may have at once, so that one process that is not itself any more leaves the others theirs
 * of the embedded server's 170. The head-end is a server and eight workers, with eight each and one that listens; those of a
 * process that was killed are still open when it is started again.
 */
const ROLE_CONNECTIONS = 80;
/** An owner lays out its schema over one connection and is then locked out. */
const OWNER_CONNECTIONS = 4;
/** What makes large objects, which anybody may do by default and which no quota of a table's bounds. */
const LARGE_OBJECT_MAKERS = ["lo_creat", "lo_create", "lo_from_bytea", "lo_import"] as const;

/** What else {@link provision} may do. */
export interface ProvisionOptions {
  /**
   * The whole server is this installation's and `adminUrl` its superuser: what PostgreSQL lets everybody do by default is
   * taken from everybody, too. On a server that others use as well that would be theirs to decide.
   */
  readonly isServerOurs?: boolean;
}

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
export async function provision(
  adminUrl: string,
  databases: readonly OwnedDatabase[],
  { isServerOurs = false }: ProvisionOptions = {},
): Promise<string[]> {
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
    if (isServerOurs) await closeToEverybody(client, adminUrl, databases);
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
  return databases.map((owned) => connectionOf(adminUrl, owned, owned));
}

/** The connection string of a role at its database. */
export function connectionOf(
  adminUrl: string,
  { database }: Pick<OwnedDatabase, "database">,
  { role, password }: LoginRole,
): string {
  return withCredentials(adminUrl, { database, user: role, password });
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

async function provisionOne(client: pg.Client, owned: OwnedDatabase, serverVersion: number): Promise<void> {
  const { database, role, owner = owned } = owned;
  await setLogin(client, owned, ROLE_CONNECTIONS);
  if (owner !== owned) await setLogin(client, owner, OWNER_CONNECTIONS);
  const known = await client.query("select 1 from pg_database where datname = $1", [database]);
  const quotedOwner = pg.escapeIdentifier(owner.role);
  if (known.rowCount === 0)
    await asMember(client, owner.role, serverVersion, () =>
      client.query(
        `create database ${pg.escapeIdentifier(database)} owner ${quotedOwner} encoding 'UTF8' template template0`,
      ),
    );
  await isolate(client, database, owner.role, role);
}

async function setLogin(client: pg.Client, { role, password }: LoginRole, connections: number): Promise<void> {
  const known = await client.query("select 1 from pg_roles where rolname = $1", [role]);
  const verb = known.rowCount === 0 ? "create" : "alter";
  await client.query(
    `${verb} role ${pg.escapeIdentifier(role)} with login connection limit ${connections} password ${pg.escapeLiteral(password)}`,
  );
}

/** Takes from everybody the server's own databases, and in ours what makes large objects. */
async function closeToEverybody(
  client: pg.Client,
  adminUrl: string,
  databases: readonly OwnedDatabase[],
): Promise<void> {
  for (const database of ["postgres", "template1"])
    await client.query(`revoke all on database ${pg.escapeIdentifier(database)} from public`);
  for (const { database } of databases) {
    const url = new URL(adminUrl);
    url.pathname = `/${encodeURIComponent(database)}`;
    const session = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 10_000 });
    session.on("error", () => undefined);
    try {
      await session.connect();
      const { rows } = await session.query<{ signature: string }>(
        `select oid::regprocedure::text as signature from pg_proc
         where pronamespace = 'pg_catalog'::regnamespace and proname = any($1)`,
        [LARGE_OBJECT_MAKERS],
      );
      for (const { signature } of rows) await session.query(`revoke execute on function ${signature} from public`);
    } finally {
      await session.end().catch(() => undefined);
    }
  }
}

/**
 * A user who is no superuser must be a member of a role to give it a database; a membership that was not there before
 * ends with `body`. Since PostgreSQL 16 a member may be one without being allowed to act as the role, which is what
 * counts here.
 */
async function asMember(
  client: pg.Client,
  role: string,
  serverVersion: number,
  body: () => Promise<unknown>,
): Promise<void> {
  const { rows } = await client.query<{ member: boolean }>("select pg_has_role($1, $2) as member", [
    role,
    serverVersion >= 160_000 ? "set" : "member",
  ]);
  if (rows[0]?.member === true) {
    await body();
    return;
  }
  const quotedRole = pg.escapeIdentifier(role);
  await client.query(`grant ${quotedRole} to current_user`);
  try {
    await body();
  } finally {
    await client.query(`revoke ${quotedRole} from current_user`);
  }
}

/**
 * Takes the database from everybody but its owner and the role that works in it. Only an owner's or superuser's grants
 * and revokes take effect, so the outcome is checked.
 */
async function isolate(client: pg.Client, database: string, owner: string, role: string): Promise<void> {
  const quotedDatabase = pg.escapeIdentifier(database);
  const isolated = async (): Promise<boolean> => {
    const { rows } = await client.query<{ open: boolean; reached: boolean }>(
      `select bool_or(grants.grantee = 0) as open,
         bool_or(grants.grantee = (select oid from pg_roles where rolname = $2) and grants.privilege_type = 'CONNECT')
           as reached
       from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) as grants where datname = $1`,
      [database, role],
    );
    return rows[0]?.open !== true && rows[0]?.reached === true;
  };
  const change = async (): Promise<void> => {
    await client.query(`revoke all on database ${quotedDatabase} from public`);
    if (owner !== role)
      await client.query(`grant connect on database ${quotedDatabase} to ${pg.escapeIdentifier(role)}`);
  };
  if (await isolated()) return;
  // Without the right to it a grant is an error, a revoke only a warning.
  await change().catch(() => undefined);
  if (await isolated()) return;
  await client.query(`grant ${pg.escapeIdentifier(owner)} to current_user`);
  try {
    await client.query(`set role ${pg.escapeIdentifier(owner)}`);
    await change();
    await client.query("reset role");
  } finally {
    await client.query(`revoke ${pg.escapeIdentifier(owner)} from current_user`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
