import { type BigIntStats, closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { CustodyError } from "../errors.ts";

const OTHERS = 0o077n;

/**
 * Reads a file that holds a secret and must be its owner's alone.
 *
 * @param what what the file is, for messages
 * @throws CustodyError `root-key-permissions`, `root-key-missing`
 */
export async function readPrivateFile(path: string, what: string): Promise<string> {
  // Without O_NOFOLLOW a link could make another process's file this one.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((cause: unknown) => {
    throw new CustodyError("root-key-missing", `the ${what} ${path} cannot be opened: ${String(cause)}`, { cause });
  });
  try {
    requirePrivate(await file.stat({ bigint: true }), path, what);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/** The same where nothing can be waited for. @throws CustodyError `root-key-permissions`, and what the system says. */
export function readPrivateFileNow(path: string, what: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    requirePrivate(fstatSync(file, { bigint: true }), path, what);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

/** Refuses a file that others can read, or that is another user's. @throws CustodyError `root-key-permissions` */
export function requirePrivate(stats: BigIntStats, path: string, what: string): void {
  if (!stats.isFile() || (stats.mode & OTHERS) !== 0n)
    throw new CustodyError(
      "root-key-permissions",
      `the ${what} ${path} can be read by others (mode ${(stats.mode & 0o777n).toString(8)}): chmod 600 it, and think about who has seen it`,
    );
  const user = process.geteuid?.();
  if (user !== undefined && user !== 0 && stats.uid !== BigInt(user))
    throw new CustodyError("root-key-permissions", `the ${what} ${path} belongs to user ${stats.uid}, not to ${user}`);
}
