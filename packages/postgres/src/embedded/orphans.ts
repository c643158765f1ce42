import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a server that a killed supervisor left behind may take to shut down cleanly, in milliseconds. */
const CLEAN_STOP_MS = 10_000;

/**
 * Ends the PostgreSQL processes that work in a data directory: a postmaster whose supervisor was killed, or backends
 * whose postmaster was. A process counts by its working directory, which for PostgreSQL is its data directory, so that
 * a reused process id is never hit.
 *
 * @returns whether there were any
 */
export async function stopOrphans(dataDirectory: string): Promise<boolean> {
  let found = false;
  const started = performance.now();
  for (
    let pids = processesIn(dataDirectory, "postgres");
    pids.length > 0;
    pids = processesIn(dataDirectory, "postgres")
  ) {
    const postmaster = readPostmasterPid(dataDirectory);
    const waited = performance.now() - started;
    if (!found || waited > CLEAN_STOP_MS) {
      // SIGINT to the postmaster is a fast, clean shutdown. What has no postmaster any more ends by itself or by SIGQUIT.
      const signal = waited > 2 * CLEAN_STOP_MS ? "SIGKILL" : waited > CLEAN_STOP_MS ? "SIGQUIT" : "SIGINT";
      for (const pid of pids) {
        if (signal !== "SIGINT" || pid === postmaster || isToldOf(pid, dataDirectory)) kill(pid, signal);
      }
    }
    found = true;
    await sleep(20);
  }
  // Nobody works here, but PostgreSQL would take whoever has the id in this file now for a server: a process that reused
  // it, or the killed one itself, as long as nobody has collected its exit status.
  rmSync(`${dataDirectory}/postmaster.pid`, { force: true });
  return found;
}

/**
 * Removes the socket of a killed postmaster and its lock, once {@link stopOrphans} has found nobody in the data
 * directory. PostgreSQL goes by the process id in the lock alone: one that somebody else has now, or that nobody has
 * collected yet, keeps it from starting. A lock that names another data directory is a living server's, and is left.
 */
export function removeStaleSocket(socketDirectory: string, port: number, dataDirectory: string): void {
  const socket = `${socketDirectory}/.s.PGSQL.${port}`;
  const lock = `${socket}.lock`;
  if (!existsSync(lock)) return;
  // Lines: process id, data directory, and more. Killed before it wrote, a postmaster leaves an empty one.
  const [pid, owner] = readFileOrNothing(lock).split("\n");
  if (pid !== "" && owner !== dataDirectory) return;
  for (const path of [socket, lock]) rmSync(path, { force: true });
}

/** Ends the initdb of a starter that was killed; it works in the directory above the one it makes. */
export async function stopInitdb(stateDirectory: string): Promise<void> {
  for (
    let pids = processesIn(stateDirectory, "initdb");
    pids.length > 0;
    pids = processesIn(stateDirectory, "initdb")
  ) {
    for (const pid of pids) kill(pid, "SIGKILL");
    await sleep(20);
  }
}

/** Line 1 of postmaster.pid. */
function readPostmasterPid(dataDirectory: string): number | undefined {
  try {
    return Number(readFileSync(`${dataDirectory}/postmaster.pid`, "utf8").split("\n")[0]);
  } catch {
    return undefined;
  }
}

function processesIn(directory: string, command: "postgres" | "initdb"): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => readFileOrNothing(`/proc/${pid}/comm`).trim() === command)
    .filter((pid) => workingDirectory(pid) === directory || isToldOf(pid, directory));
}

function workingDirectory(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/** A server that has just been started is not in its directory yet, but has it on its command line. */
function isToldOf(pid: number, directory: string): boolean {
  const args = readFileOrNothing(`/proc/${pid}/cmdline`).split("\0");
  return args[args.indexOf("-D") + 1] === directory;
}

function readFileOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
