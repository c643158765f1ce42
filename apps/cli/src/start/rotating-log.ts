import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/** A log file that never grows past its limit: a full one is renamed, and the oldest goes. */
export interface RotatingLog {
  write(text: string): void;
  close(): void;
}

const MAX_BYTES = 4_000_000;
const KEPT = 3;

/** Opens `path` for appending; `path.1` is the one before it. Mode 0600. */
export function openRotatingLog(path: string, maxBytes = MAX_BYTES): RotatingLog {
  let descriptor = openSync(path, "a", 0o600);
  let bytes = fstatSync(descriptor).size;
  const rotate = (): void => {
    closeSync(descriptor);
    for (let number = KEPT - 1; number >= 0; number -= 1) {
      try {
        renameSync(number === 0 ? path : `${path}.${number}`, `${path}.${number + 1}`);
      } catch {
        // There are not that many yet.
      }
    }
    descriptor = openSync(path, "a", 0o600);
    bytes = 0;
  };
  return {
    write: (text) => {
      if (bytes >= maxBytes) rotate();
      bytes += writeSync(descriptor, text);
    },
    close: () => closeSync(descriptor),
  };
}
