import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Where another may plant a link, a pipe or a device: none is followed, waited for or written to. */
const GUARDED = constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** What opening says of a link, a socket, or a device that is none. */
const NO_FILE: ReadonlySet<string | undefined> = new Set(["ELOOP", "EMLINK", "ENXIO", "ENODEV"]);
/** A file of its owner alone, where it is made. */
const MODE = 0o600;

/** Something lies at a path that is no file: a link, a pipe, a device or a folder. */
export class NoRegularFile extends Error {
  override readonly name = "NoRegularFile";

  constructor(path: string, cause?: unknown) {
    super(`${path} is a link, a pipe or something else that is no file: look at it, and who put it there`, { cause });
  }
}

/**
 * Opens a file of a folder in which others may write, such as second storage: links to the folder are followed, one in the file's place is
 * not.
 *
 * @param flags of `open(2)`
 * @throws NoRegularFile, and what the system says of a file that is not there or not ours
 */
export async function openRegularFile(path: string, flags: number): Promise<FileHandle> {
  const file = await open(path, flags | GUARDED, MODE).catch((cause: NodeJS.ErrnoException) => {
    throw NO_FILE.has(cause.code) ? new NoRegularFile(path, cause) : cause;
  });
  try {
    if ((await file.stat()).isFile()) return file;
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  throw new NoRegularFile(path);
}
