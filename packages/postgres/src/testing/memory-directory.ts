import { accessSync, constants, statfsSync } from "node:fs";
import { freemem } from "node:os";

const MEMORY = "/dev/shm";

/** A directory for everybody whose files are in memory, where nothing waits for a disk; undefined where there is none with so much room. */
export function memoryDirectory(neededBytes: number): string | undefined {
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    // What it may take is not always there.
    return Math.min(bavail * bsize, freemem()) > neededBytes ? MEMORY : undefined;
  } catch {
    return undefined;
  }
}
