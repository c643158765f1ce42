import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { PostgresError } from "./error.ts";

/** A lock that is held until it is released or its process ends. */
export interface DirectoryLock {
  release(): void;
  /** False when its file is gone or another's: whoever deletes or replaces the directory takes the lock with it. */
  isHeld(): boolean;
}

/**
 * Takes a lock file for this process. The file names its process by id and start time, so that what a killed process
 * left behind, or another process under the same id, does not count.
 *
 * @throws {PostgresError} `already-running`, with the id of the process that holds it
 */
export function acquireLock(file: string, what: string): DirectoryLock {
  const mine = `${process.pid} ${processStartTime(process.pid)}\n`;
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, mine, { mode: 0o644 });
  try {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      if (link(draft, file)) return { release: () => releaseLock(file, mine), isHeld: () => isIn(file, mine) };
      const holder = readLock(file);
      if (holder === undefined) continue;
      if (holder.alive) {
        throw new PostgresError(
          "already-running",
          `${what} is in use by process ${holder.pid}: stop that one first (kill ${holder.pid}), or choose another directory`,
        );
      }
      removeStale(file, holder.text);
    }
    throw new PostgresError(
      "already-running",
      `${what} is being taken by several processes at once: start one of them`,
    );
  } finally {
    rmSync(draft, { force: true });
  }
}

function link(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readLock(file: string): { readonly text: string; readonly pid: number; readonly alive: boolean } | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  const [pid, started] = text.trim().split(" ");
  return { text, pid: Number(pid), alive: started !== undefined && processStartTime(Number(pid)) === started };
}

/** Renaming is atomic: of several that saw the same stale lock, one gets it, and who gets a fresh one by mistake returns it. */
function removeStale(file: string, staleText: string): void {
  const aside = `${file}.stale-${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (readFileSync(aside, "utf8") !== staleText) link(aside, file);
  rmSync(aside, { force: true });
}

/** A disk that cannot be read at the moment does not count as a directory that is gone. */
function isIn(file: string, mine: string): boolean {
  try {
    return readFileSync(file, "utf8") === mine;
  } catch (error) {
    return !["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
}

function releaseLock(file: string, mine: string): void {
  try {
    if (readFileSync(file, "utf8") === mine) unlinkSync(file);
  } catch {
    // Gone already: nothing is held.
  }
}

/**
 * When a process started, in a form that only serves to tell it from another with the same id; nothing when there is none.
 * Field 22 of /proc/PID/stat (proc(5)): clock ticks since boot; the name in field 2 may hold spaces and parentheses. A
 * process that has ended but was not waited for (state Z) counts as gone.
 */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
