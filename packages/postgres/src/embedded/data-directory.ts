import { spawn } from "node:child_process";
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { PostgresError } from "../error.ts";
import { randomPassword } from "../provision.ts";
import { stopInitdb, stopOrphans } from "./orphans.ts";
import type { DatabaseOwner } from "./owner.ts";
import type { PostgresProgram } from "./program.ts";

/** The superuser of the embedded server. */
export const SUPERUSER = "postgres";

/** What making a data directory needs to know. */
export interface DataDirectoryOptions {
  readonly directory: string;
  /** Where the superuser's password is kept, unless root is the installer: see `authenticationOf`. */
  readonly passwordFile: string;
  readonly owner: DatabaseOwner;
  readonly program: PostgresProgram;
  readonly durable: boolean;
}

/**
 * Makes the data directory unless it is there. It is made under another name and renamed when complete, so that a start
 * that was killed leaves nothing that looks finished.
 *
 * @returns whether it was made now
 * @throws {PostgresError} `initdb-failed`, `data-of-other-version`, `superuser-password-missing`
 */
export async function prepareDataDirectory(options: DataDirectoryOptions): Promise<boolean> {
  const { directory, owner, program, passwordFile } = options;
  const draft = `${directory}.new`;
  if (existsSync(directory)) {
    checkVersion(directory, program);
    if (!owner.switches) requirePassword(passwordFile);
    writeAuthentication(directory, owner);
    return false;
  }
  await stopInitdb(dirname(directory));
  await stopOrphans(draft);
  rmSync(draft, { recursive: true, force: true });
  if (!owner.switches) {
    rmSync(passwordFile, { force: true });
    writeFileSync(passwordFile, randomPassword(), { mode: 0o600 });
  }
  await initialise(options, draft);
  writeAuthentication(draft, owner);
  renameSync(draft, directory);
  return true;
}

function checkVersion(directory: string, program: PostgresProgram): void {
  const made = readFileSync(`${directory}/PG_VERSION`, "utf8").trim();
  const major = program.version.split(".")[0];
  if (made === major) return;
  throw new PostgresError(
    "data-of-other-version",
    `${directory} was made by PostgreSQL ${made}, and this is ${major}: start with the version that made it, or move the directory away and start anew`,
  );
}

function requirePassword(passwordFile: string): void {
  if (existsSync(passwordFile)) return;
  throw new PostgresError(
    "superuser-password-missing",
    `${passwordFile} is gone, without which nobody is the superuser of the database beside it: put it back from a copy of the state directory`,
  );
}

async function initialise(options: DataDirectoryOptions, draft: string): Promise<void> {
  const { owner, program, passwordFile, durable } = options;
  const args = [
    `--pgdata=${draft}`,
    `--username=${SUPERUSER}`,
    "--encoding=UTF8",
    // The locale that is in the server itself: the same order on every machine, and no use of the bundled ICU.
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth=scram-sha-256",
    "--no-instructions",
    ...(durable ? [] : ["--no-sync"]),
    ...(owner.switches ? ["--auth-local=peer"] : [`--pwfile=${passwordFile}`]),
  ];
  // initdb wants a user with a name. In a user namespace of its own, any user can be called nobody.
  const [command, ...rest] =
    owner.name === undefined
      ? ["unshare", "--user", "--map-user=65534", "--map-group=65534", program.initdb, ...args]
      : [program.initdb, ...args];
  const { status, output } = await runToEnd(command!, rest, owner, dirname(draft));
  if (status === 0) return;
  const advice =
    owner.name === undefined
      ? `; the user ${owner.uid} has no name: add a line for it to /etc/passwd, or set DATABASE_URL`
      : "";
  throw new PostgresError("initdb-failed", `initdb could not make ${draft}: ${output.trim()}${advice}`);
}

function runToEnd(
  command: string,
  args: readonly string[],
  owner: DatabaseOwner,
  directory: string,
): Promise<{ readonly status: number; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      // Where a later start looks for it, should this process be killed.
      cwd: directory,
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" },
      stdio: ["ignore", "ignore", "pipe"],
      ...(owner.switches && { uid: owner.uid, gid: owner.gid }),
    });
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.once("error", (error) => resolve({ status: 1, output: error.message }));
    child.once("close", (status) => resolve({ status: status ?? 1, output }));
  });
}

/**
 * Who may connect, over the Unix socket alone: everybody by password, and root as the superuser when the operating
 * system says that it is root.
 *
 * Any other installer needs a password too: the head-end then runs as the same user, and must not become the superuser
 * by saying so, for that one reads files and runs programs.
 */
export function authenticationOf({
  switches,
}: Pick<DatabaseOwner, "switches">): Readonly<Record<"pg_hba.conf" | "pg_ident.conf", string>> {
  const superuser = switches ? "peer map=installer" : "scram-sha-256";
  return {
    "pg_hba.conf": `local all ${SUPERUSER} ${superuser}\nlocal all all scram-sha-256\n`,
    "pg_ident.conf": switches ? `installer "root" ${SUPERUSER}\n` : "",
  };
}

function writeAuthentication(directory: string, owner: DatabaseOwner): void {
  for (const [name, text] of Object.entries(authenticationOf(owner))) {
    const path = `${directory}/${name}`;
    writeFileSync(path, text, { mode: 0o600 });
    if (owner.switches) chownSync(path, owner.uid, owner.gid);
  }
}
