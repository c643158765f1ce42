import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/** A log file that never grows past its limit: a full one is renamed, and the oldest goes. */
export interface RotatingLog {
  write(text: string): void;
  close(): void;
}

const MAX_BYTES = 4_000_000;
const KEPT = 3;

/**
 * Opens `path` for appending; `path.1` is the one before it. Mode 0600. A full disk or a directory that is gone costs
 * lines, never whoever writes them.
 */
export function openRotatingLog(path: string, maxBytes = MAX_BYTES): RotatingLog {
  let descriptor: number | undefined = openSync(path, "a", 0o600);
  let bytes = fstatSync(descriptor).size;
  const close = (): void => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
  };
  const rotate = (): number => {
    close();
    for (let number = KEPT - 1; number >= 0; number -= 1) {
      try {
        renameSync(number === 0 ? path : `${path}.${number}`, `${path}.${number + 1}`);
      } catch {
        // There are not that many yet.
      }
    }
    bytes = 0;
    return openSync(path, "a", 0o600);
  };
  return {
    write: (text) => {
      try {
        if (descriptor === undefined || bytes >= maxBytes) descriptor = rotate();
        bytes += writeSync(descriptor, text);
      } catch {
        // There is nowhere to say it.
      }
    },
    close,
  };
}
