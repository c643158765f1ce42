import { randomBytes } from "node:crypto";
import pg from "pg";
import { withCredentials } from "../connection-url.ts";
import { type MigrationSource, migrate } from "../migrate.ts";
import { createPool } from "../pool.ts";
import { connectionOf, provision, randomPassword } from "../provision.ts";
import { prepareSchema } from "../schema.ts";
import { testServerUrl } from "./test-server.ts";

export { testServerUrl } from "./test-server.ts";

/** What a test's database should hold. */
export interface TestDatabaseOptions {
  /**
   * Applied before the test gets the database. Where they say what the role at run time may do, they belong to an owner
   * and the test's role has no more than that.
   */
  readonly migrations?: readonly MigrationSource[];
  /** Of the program that applies them; `test` unless given. */
  readonly version?: string;
  readonly maxConnections?: number;
}

/** A fresh database with a role of its own, gone with the test. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly pool: pg.Pool;
  readonly database: string;
  readonly role: string;
  /** Connects to this database as the server's superuser. */
  readonly adminUrl: string;
}

/** Runs a test with a fresh database: `test("…", () => withTestDatabase({ migrations }, async ({ pool }) => …))`. */
export async function withTestDatabase<Result>(
  options: TestDatabaseOptions,
  body: (database: TestDatabase) => Promise<Result>,
): Promise<Result> {
  await using database = await openTestDatabase(options);
  return await body(database);
}

/**
 * Makes a fresh database for a suite, to be disposed in its `after` (or held by `await using`). The server behind it is
 * launched by the first call in a process and ends with the process; `METERKEEP_TEST_DATABASE_URL` names another one.
 */
export async function openTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const serverUrl = await testServerUrl();
  const database = `test_${process.pid}_${randomBytes(6).toString("hex")}`;
  const role = `${database}_role`;
  const owner = { role: `${database}_owner`, password: randomPassword() };
  const owned = options.migrations?.every(({ grants }) => grants !== undefined) === true;
  const [url] = await provision(serverUrl, [{ database, role, password: randomPassword(), ...(owned && { owner }) }]);
  const pool = createPool(url!, { applicationName: "test", maxConnections: options.maxConnections ?? 4 });
  const dispose = async (): Promise<void> => {
    if (!pool.ended) await pool.end();
    await dropDatabase(serverUrl, database, [role, owner.role]);
  };
  try {
    const { migrations: sources, version = "test" } = options;
    if (owned && sources !== undefined)
      await prepareSchema({ pool, ownerUrl: connectionOf(serverUrl, { database }, owner), sources, version });
    else if (sources !== undefined) await migrate(pool, sources, { version });
  } catch (error) {
    await dispose();
    throw error;
  }
  const server = new URL(serverUrl);
  const adminUrl = withCredentials(serverUrl, {
    database,
    user: decodeURIComponent(server.username),
    ...(server.password !== "" && { password: decodeURIComponent(server.password) }),
  });
  return { url: url!, pool, database, role, adminUrl, [Symbol.asyncDispose]: dispose };
}

async function dropDatabase(serverUrl: string, database: string, roles: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(`drop database if exists ${pg.escapeIdentifier(database)} with (force)`);
    for (const role of roles) await client.query(`drop role if exists ${pg.escapeIdentifier(role)}`);
  } finally {
    await client.end();
  }
}
