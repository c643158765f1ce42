import { existsSync, readFileSync } from "node:fs";
import {
  connectionOf,
  createPool,
  describeUrl,
  type EmbeddedPostgres,
  launchEmbedded,
  type OwnedDatabase,
  PostgresError,
  provision,
  randomPassword,
} from "@meterkeep/postgres";
import { type Directories, writePrivate } from "./directories.ts";
import { StartError } from "./error.ts";
import type { DatabaseStage } from "./installation.ts";
import type { Launch, Running } from "./keeper.ts";
import type { StartConfig } from "./start-config.ts";
import type { ProcessUser, ProcessUsers } from "./users.ts";

/** The embedded PostgreSQL under a keeper. */
export interface RunningDatabase extends Running {
  readonly adminUrl: string;
  readonly warnings: readonly string[];
}

/** How the keeper launches the embedded server. Only the first launch may make its data directory. */
export function launchDatabase(
  { postgres, sockets }: Pick<Directories, "postgres" | "sockets">,
  isNew: boolean,
  log: (text: string) => void,
): Launch<RunningDatabase> {
  let mayInitialise = isNew;
  return async () => {
    const server = await launchEmbedded({
      stateDirectory: postgres,
      socketDirectory: sockets.postgres,
      mayInitialise,
      log,
    });
    mayInitialise = false;
    return {
      pid: server.pid,
      facts: { version: server.version.split("-")[0] ?? server.version, ...server.facts },
      adminUrl: server.adminUrl,
      warnings: server.warnings,
      ended: server.exited.then(describeEnd),
      stop: server.stop,
    };
  };
}

function describeEnd({ status, signal }: Awaited<EmbeddedPostgres["exited"]>): string {
  return signal === null ? `exited with status ${status}` : `was ended by ${signal}`;
}

/** Connection strings of one process: that of the role it works with, and that of the owner of its schema. */
export interface DatabaseUrlPair {
  readonly role: string;
  readonly owner: string;
}

export interface DatabaseUrls {
  readonly headEnd: DatabaseUrlPair;
  readonly custodian: DatabaseUrlPair;
}

/**
 * Makes the two databases with their roles, and gives the connection strings of each. Both belong to an owner, whose
 * password is new at every start and which the process makes useless as soon as its schema is right.
 */
export async function provisionDatabases(
  adminUrl: string,
  { headEnd, custodian }: Directories,
  users: ProcessUsers,
  { databaseSuffix = "", databaseUrl }: Pick<StartConfig, "databaseSuffix" | "databaseUrl">,
): Promise<DatabaseUrls> {
  const databases = [
    ownedDatabase(
      `meterkeep${databaseSuffix}`,
      `meterkeep_headend${databaseSuffix}`,
      openPassword(headEnd, users.headEnd),
    ),
    ownedDatabase(
      `meterkeep_custodian${databaseSuffix}`,
      `meterkeep_custodian${databaseSuffix}`,
      openPassword(custodian, users.custodian),
    ),
  ];
  const roles = await provision(adminUrl, databases, { isServerOurs: databaseUrl === undefined });
  const [headEndUrls, custodianUrls] = databases.map((database, index) => ({
    role: roles[index]!,
    owner: connectionOf(adminUrl, database, database.owner),
  }));
  return { headEnd: headEndUrls!, custodian: custodianUrls! };
}

function ownedDatabase(database: string, role: string, password: string): Required<OwnedDatabase> {
  return { database, role, password, owner: { role: `${role}_owner`, password: randomPassword() } };
}

/**
 * Compares the server with what this installation has been through, before anything is made in it.
 *
 * @throws {StartError} `database-missing` when its databases are not there, `database-foreign` when a new installation
 * finds somebody else's under their names
 */
export async function checkDatabases(
  adminUrl: string,
  stage: DatabaseStage,
  { databaseSuffix = "" }: Pick<StartConfig, "databaseSuffix">,
): Promise<void> {
  const wanted = ["meterkeep", "meterkeep_custodian"].map((name) => name + databaseSuffix);
  if (stage === "begun") return;
  const found = await databasesOf(adminUrl);
  const missing = wanted.filter((name) => !found.has(name));
  if (stage === "made" && missing.length > 0) {
    throw new StartError(
      "database-missing",
      `${describeUrl(adminUrl)} has no database ${missing.join(" and no ")}, and this installation has had one: set DATABASE_URL (and --database-suffix) to where its data is, or restore it from a backup`,
    );
  }
  const foreign = wanted.filter((name) => found.has(name));
  if (stage === "planned" && foreign.length > 0) {
    throw new StartError(
      "database-foreign",
      `${describeUrl(adminUrl)} has a database ${foreign.join(" and ")} already, which another installation made: name its --state, or choose other names with --database-suffix`,
    );
  }
}

async function databasesOf(url: string): Promise<ReadonlySet<string>> {
  const pool = createPool(url, { applicationName: "meterkeep start", maxConnections: 1 });
  try {
    const { rows } = await pool.query<{ name: string }>("select datname as name from pg_database");
    return new Set(rows.map(({ name }) => name));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PostgresError("server-unreachable", `cannot connect to PostgreSQL: ${reason}`, { cause });
  } finally {
    await pool.end();
  }
}

/** Each role's password is made on first run and lies where only its process can read it. */
function openPassword(directory: string, user: ProcessUser | undefined): string {
  const file = `${directory}/database.password`;
  if (!existsSync(file)) writePrivate(file, randomPassword(), user);
  return readFileSync(file, "utf8");
}
