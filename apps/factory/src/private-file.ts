import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Writes a file under another name first, makes it durable and renames it, so that nobody ever sees half of it.
 *
 * @param mode permission bits; 0o600 for what only this process may read.
 */
export function writeDurably(path: string, content: string | Uint8Array, mode: 0o600 | 0o644): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, "w", mode);
  try {
    const octets = typeof content === "string" ? Buffer.from(content) : content;
    for (let written = 0; written < octets.length; ) written += writeSync(file, octets, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/** Makes renames within a directory durable. */
function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
