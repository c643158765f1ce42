import { readFileSync, statSync } from "node:fs";
import { type FileHandle, open, rm, writeFile } from "node:fs/promises";
import { CliError } from "./error.ts";

const OTHERS = 0o077;

/** The octets of a file that a command names. @throws CliError `input-unreadable` */
export function fileOctets(path: string): Buffer {
  return reading(path, () => readFileSync(path));
}

/** The text of a file that a command names. @throws CliError `input-unreadable` */
export function fileText(path: string): string {
  return fileOctets(path).toString("utf8");
}

/**
 * What `body` makes of the text of a file that a command names.
 *
 * @param otherwise what is said where it makes nothing of it, such as "holds no keys of a witness"
 * @throws CliError `input-unreadable`
 */
export function fileContent<T>(path: string, otherwise: string, body: (text: string) => T): T {
  const text = fileText(path);
  try {
    return body(text);
  } catch (cause) {
    throw unreadable(path, otherwise, cause);
  }
}

/**
 * The text of a file with a secret that a command names, with the line feed at its end.
 *
 * @throws CliError `input-unreadable`, or `file-not-private` where others than its owner may read it
 */
export function secretText(path: string): string {
  const { mode } = reading(path, () => statSync(path));
  if ((mode & OTHERS) !== 0) throw new CliError("file-not-private", `others can read ${path}: chmod 600 ${path}`);
  return fileText(path);
}

/** Opens a file that a command names, to be read piece by piece. @throws CliError `input-unreadable` before any is read */
export async function openFile(path: string): Promise<FileHandle> {
  const handle = await open(path).catch((cause: unknown) => {
    throw unreadable(path, UNREAD, cause);
  });
  if (!(await handle.stat()).isDirectory()) return handle;
  await handle.close();
  throw new CliError("input-unreadable", `${path} is a folder: name a file`);
}

/** Writes a file, which everybody may read unless `mode` says otherwise, and which must not be there yet. @throws CliError `input-unreadable` */
export async function writeNew(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await writeFile(path, content, { mode, flag: "wx" }).catch((cause: unknown) => {
    throw unreadable(path, UNWRITTEN, cause);
  });
}

/**
 * Has something given that is given once, and writes it into a file that must not be there yet, its owner's unless `mode` says otherwise.
 * The file is made first: what is given has its place then, and where nothing is given it is taken away.
 *
 * @throws CliError `input-unreadable`, before anything is given
 */
export async function writeGiven<T>(
  path: string,
  give: () => Promise<T>,
  contentOf: (given: T) => string | Uint8Array,
  mode = 0o600,
): Promise<T> {
  const file = await open(path, "wx", mode).catch((cause: unknown) => {
    throw unreadable(path, UNWRITTEN, cause);
  });
  try {
    const given = await give();
    await file.writeFile(contentOf(given));
    return given;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

const UNWRITTEN = "cannot be written";
const UNREAD = "cannot be read";

function reading<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw unreadable(path, UNREAD, cause);
  }
}

function unreadable(path: string, what: string, cause: unknown): CliError {
  return new CliError("input-unreadable", `${path} ${what}: ${(cause as Error).message}`, { cause });
}
