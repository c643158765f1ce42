import { accessSync, constants, statfsSync } from "node:fs";

const MEMORY = "/dev/shm";

/** A directory for everybody whose files are in memory, where nothing waits for a disk; undefined where there is none with so much room. */
export function memoryDirectory(neededBytes: number): string | undefined {
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize > neededBytes ? MEMORY : undefined;
  } catch {
    return undefined;
  }
}
