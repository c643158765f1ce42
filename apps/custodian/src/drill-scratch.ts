import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The name says whose process it is: what a drill left that was killed is known by a process that is no more. */
const NAME = /^meterkeep-restore-drill-(\d+)-/;

/** Where a drill restores to: keys that a backup opened lie here, so it does not outlive the drill. */
export interface DrillScratch extends Disposable {
  readonly path: string;
}

/**
 * Makes a folder for a drill of this process, and takes away what drills left that were killed. A PostgreSQL that still
 * runs in one of those ends by itself when its folder is gone.
 *
 * @param parent where it lies; the system's folder for such things unless given
 */
export function openDrillScratch(parent: string = tmpdir()): DrillScratch {
  clearLeftovers(parent);
  const path = mkdtempSync(join(parent, `meterkeep-restore-drill-${process.pid}-`));
  return { path, [Symbol.dispose]: () => remove(path) };
}

function clearLeftovers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = NAME.exec(name)?.[1];
    const path = join(parent, name);
    if (pid !== undefined && isOurs(path) && !isAlive(Number(pid))) remove(path);
  }
}

/** Retries: a server that is ending, or a restore that was broken off, may write once more. */
function remove(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 10 });
}

/** In a folder that everybody may write to, a name is no proof. */
function isOurs(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
