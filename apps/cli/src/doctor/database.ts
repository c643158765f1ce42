import { existsSync, readFileSync } from "node:fs";
import { createPool, describeUrl, withCredentials } from "@meterkeep/postgres";
import { checkDatabases } from "../start/database.ts";
import { StartError } from "../start/error.ts";
import { readDatabaseStage } from "../start/installation.ts";
import type { StartConfig } from "../start/start-config.ts";
import { type Finding, ok, problem } from "./finding.ts";

type Wanted = Pick<StartConfig, "databaseUrl" | "databaseSuffix">;

/** Version 15, as PostgreSQL counts. */
const MIN_VERSION = 150_000;

/** What to do about a connection that failed, by the code of PostgreSQL or of the system. */
const FIXES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Start the server, or correct host and port in DATABASE_URL.",
  ENOTFOUND: "Correct the host name in DATABASE_URL.",
  EAI_AGAIN: "Correct the host name in DATABASE_URL, or mend this machine's name resolution.",
  ENOENT: "Correct the directory of the server's socket in DATABASE_URL, or start the server.",
  EACCES: "Let this user reach the directory of the server's socket, or connect over TCP.",
  "28P01": "Correct user and password in DATABASE_URL.",
  "28000": "Let the user in by a line in the server's pg_hba.conf, or use another user in DATABASE_URL.",
  "3D000": "End DATABASE_URL with a database that exists, for instance /postgres.",
};
const OTHER_FIX = "Try it by hand: psql \"$DATABASE_URL\" -c 'select version()'.";

/** Tries the server that `DATABASE_URL` names as far as a start would, and changes nothing in it. */
export async function checkDatabase(checkout: string, state: string | undefined, config: Wanted): Promise<Finding[]> {
  const { databaseUrl: url } = config;
  if (url === undefined) return [];
  if (!URL.canParse(url)) {
    const fix = "Write it as postgres://user:password@host:5432/postgres.";
    return [problem("database-server", "failed", "DATABASE_URL is no connection string", fix)];
  }
  const pool = createPool(url, { applicationName: "meterkeep doctor", maxConnections: 1 });
  try {
    const { rows } = await pool.query<ServerFacts>(
      `select current_setting('server_version') as version, current_setting('server_version_num')::integer as number,
              current_user as "user", rolsuper or rolcreatedb as "createDb", rolsuper or rolcreaterole as "createRole"
       from pg_roles where rolname = current_user`,
    );
    const facts = rows[0]!;
    const findings = [versionOf(facts, url), rightsOf(facts)];
    if (findings.some(({ status }) => status === "failed")) return findings;
    return [...findings, ...(await checkContents(checkout, state, url, config))];
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    const why = message === "" ? (code ?? "no reason given") : message;
    const fix = FIXES[code ?? ""] ?? OTHER_FIX;
    return [problem("database-server", "failed", `no connection to ${describeUrl(url)}: ${why}`, fix)];
  } finally {
    await pool.end();
  }
}

interface ServerFacts {
  readonly version: string;
  readonly number: number;
  readonly user: string;
  readonly createDb: boolean;
  readonly createRole: boolean;
}

function versionOf({ version, number }: ServerFacts, url: string): Finding {
  const text = `PostgreSQL ${version} at ${describeUrl(url)}`;
  return number >= MIN_VERSION
    ? ok("database-server", text)
    : problem("database-server", "failed", `${text} is too old`, "Use PostgreSQL 15 or later.");
}

function rightsOf({ user, createDb, createRole }: ServerFacts): Finding {
  const missing = [...(createDb ? [] : ["CREATEDB"]), ...(createRole ? [] : ["CREATEROLE"])];
  return missing.length === 0
    ? ok("database-rights", `${user} may make databases and roles`)
    : problem(
        "database-rights",
        "failed",
        `${user} lacks ${missing.join(" and ")}`,
        `As an administrator of the server: alter role "${user}" ${missing.join(" ").toLowerCase()};`,
      );
}

async function checkContents(
  checkout: string,
  state: string | undefined,
  url: string,
  { databaseSuffix = "" }: Wanted,
): Promise<Finding[]> {
  const stage = state === undefined ? "planned" : readDatabaseStage(state);
  try {
    await checkDatabases(url, stage, { databaseSuffix });
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const fix =
      error.code === "database-missing" ? "Set DATABASE_URL to the server that has them." : "See the message.";
    return [problem("database-contents", "failed", error.message, fix)];
  }
  if (state === undefined || stage === "planned") return [ok("database-contents", "the databases will be made")];
  const schemas = [
    ["meterkeep", "meterkeep_headend", `${state}/head-end`],
    ["meterkeep_custodian", "meterkeep_custodian", `${state}/custodian`],
  ].map(([database, role, directory]) =>
    checkSchema(checkout, url, `${database}${databaseSuffix}`, `${role}${databaseSuffix}`, directory!),
  );
  return await Promise.all(schemas);
}

/** Looks for migrations that this program does not have. */
async function checkSchema(
  checkout: string,
  server: string,
  database: string,
  role: string,
  directory: string,
): Promise<Finding> {
  const id = `schema-${database}`;
  const passwordFile = `${directory}/database.password`;
  let password: string;
  try {
    password = readFileSync(passwordFile, "utf8");
  } catch {
    return problem(id, "warning", `${database} was not looked at`, `Run this as who may read ${passwordFile}.`);
  }
  const url = withCredentials(server, { database, user: role, password });
  const pool = createPool(url, { applicationName: "meterkeep doctor", maxConnections: 1 });
  try {
    const { rows } = await pool.query<{ component: string; name: string; program: string }>(
      "select component, name, program from schema_migration order by component, number",
    );
    const newer = rows.find(
      ({ component, name }) => !existsSync(`${checkout}/packages/${component}/migrations/${name}`),
    );
    if (newer === undefined) return ok(id, `${database} has ${rows.length} migrations, all known`);
    return problem(
      id,
      "failed",
      `${database} is newer than this program: ${newer.component}/${newer.name} of version ${newer.program}`,
      "Start the newer program, or restore a backup from before it.",
    );
  } catch (error) {
    // A start that was killed early has left no schema yet.
    if ((error as { code?: string }).code === "42P01") return ok(id, `${database} has no tables yet`);
    return problem(id, "warning", `${database}: ${(error as Error).message}`, "The next start sets its password anew.");
  } finally {
    await pool.end();
  }
}
