import { existsSync, lstatSync, readFileSync, rmdirSync, statfsSync } from "node:fs";
import { resolve } from "node:path";
import { chooseOwner, PostgresError, processStartTime, resolveStateDirectory } from "@meterkeep/postgres";
import { StartError } from "../start/error.ts";
import { checkStateDirectory, readDatabaseStage } from "../start/installation.ts";
import type { StartConfig } from "../start/start-config.ts";
import { chooseUsers } from "../start/users.ts";
import { checkFileModes } from "./file-modes.ts";
import { type Finding, ok, problem } from "./finding.ts";

const LITTLE_BYTES = 2_000_000_000;
const TOO_LITTLE_BYTES = 300_000_000;

/** What was found about the state directory; `runningPid` when a Meterkeep runs in it now. */
export interface StateFindings {
  readonly findings: readonly Finding[];
  /** Absent when it cannot be used. */
  readonly path?: string;
  readonly runningPid?: number;
}

/** Looks at the state directory: whether it can be used, how much room it has, whether somebody uses it. */
export function checkState(checkout: string, config: StartConfig, isRoot: boolean): StateFindings {
  const wanted = resolve(config.state ?? `${checkout}/var`);
  const isThere = existsSync(wanted);
  try {
    return lookAt(checkout, config, isRoot);
  } finally {
    // Looking makes it, to see whether a start could; who only looks leaves nothing behind.
    if (!isThere) removeIfEmpty(wanted);
  }
}

function removeIfEmpty(directory: string): void {
  try {
    if (lstatSync(directory).isDirectory()) rmdirSync(directory);
  } catch {
    // Somebody has begun to use it, or it was never made.
  }
}

function lookAt(checkout: string, config: StartConfig, isRoot: boolean): StateFindings {
  let path: string;
  try {
    const place = resolveStateDirectory({
      checkout,
      isRoot,
      ...(config.state !== undefined && { requested: config.state }),
    });
    path = place.path;
    checkStateDirectory(path);
    checkData(path, config);
  } catch (error) {
    const isOurs = error instanceof PostgresError || error instanceof StartError;
    const fix = "Choose another with --state, or restore this one from a backup.";
    return { findings: [problem("state-directory", "failed", isOurs ? error.message : String(error), fix)] };
  }
  const runningPid = readRunningPid(`${path}/lock`);
  return {
    path,
    findings: [
      ok("state-directory", `${path}${runningPid === undefined ? "" : `, in use by process ${runningPid}`}`),
      room(path),
      ...checkFileModes(path, config.passphraseFile),
    ],
    ...(runningPid !== undefined && { runningPid }),
  };
}

/** The embedded database's, where there has been one. */
function checkData(path: string, { databaseUrl }: StartConfig): void {
  if (databaseUrl !== undefined || readDatabaseStage(path) !== "made" || existsSync(`${path}/postgres/data`)) return;
  throw new StartError(
    "database-missing",
    `${path}/postgres/data is gone, and DATABASE_URL does not name a server that has the data instead`,
  );
}

function room(path: string): Finding {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  const text = `${(free / 1e9).toFixed(1)} GB free at ${path}`;
  const fix = "Make room, or choose another disk with --state.";
  if (free < TOO_LITTLE_BYTES) return problem("disk", "failed", text, fix);
  return free < LITTLE_BYTES ? problem("disk", "warning", text, fix) : ok("disk", text);
}

function readRunningPid(lock: string): number | undefined {
  if (!existsSync(lock)) return undefined;
  const [pid, started] = readFileSync(lock, "utf8").trim().split(" ");
  return processStartTime(Number(pid)) === started ? Number(pid) : undefined;
}

/** Looks at the users that the processes would run under. */
export function checkUsers({ userIds, databaseUrl }: StartConfig, isRoot: boolean): Finding[] {
  const findings: Finding[] = [];
  if (!isRoot) {
    findings.push(
      problem(
        "users",
        "warning",
        "all processes would run under one user: who takes over the head-end as that user can read the custodian's files",
        "For separate users start it as root (sudo npm start); for a look around it does not matter.",
      ),
    );
  } else {
    try {
      chooseUsers(userIds, isRoot);
      findings.push(ok("users", `each process has a user of its own (${userIds} to ${userIds + 9})`));
    } catch (error) {
      const text = error instanceof StartError ? error.message : String(error);
      findings.push(problem("users", "failed", text, "Choose another first id with --user-ids."));
    }
  }
  if (databaseUrl === undefined) findings.push(databaseUser());
  return findings;
}

function databaseUser(): Finding {
  const fix = "adduser --system --group postgres, or set DATABASE_URL.";
  try {
    const { name, uid, warning } = chooseOwner();
    if (warning !== undefined) return problem("database-user", "warning", warning, fix);
    if (name !== undefined) return ok("database-user", `PostgreSQL would run as ${name}`);
    return problem(
      "database-user",
      "warning",
      `the user ${uid} has no name, and initdb wants one: it is run in a user namespace, which some containers forbid`,
      "Add a line for the user to /etc/passwd, or set DATABASE_URL.",
    );
  } catch (error) {
    return problem("database-user", "failed", error instanceof Error ? error.message : String(error), fix);
  }
}
