import { readdirSync, readFileSync, readlinkSync } from "node:fs";
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
  return found;
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
