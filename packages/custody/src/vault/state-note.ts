import { constants } from "node:fs";
import { type FileHandle, lstat, open, rename, rm } from "node:fs/promises";
import { sameMac } from "../records/record-mac.ts";
import { boundData } from "./key-place.ts";
import { NoRegularFile, openRegularFile } from "./regular-file.ts";
import type { Vault } from "./vault.ts";

/** A small file, with a MAC over what it says: whoever owns the database, or the storage that it lies on, has no hand in it. */
export interface StateNote<T> {
  /** What it says; "not ours" where this vault has not written it, or it is no file at all, undefined where there is none. */
  read(): Promise<T | "not ours" | undefined>;
  /** Says this from now on: whole, or not at all. */
  keep(said: T): Promise<void>;
  /** Gives what is there another name, for somebody to look at. @returns its path */
  setAside(): Promise<string>;
}

/** Where a note is, and what it is bound by. */
export interface StateNotePlace<T> {
  readonly path: string;
  /** Keeps the MAC of one kind of note from being taken for another's. */
  readonly domain: string;
  /** What it says, in the order in which its MAC has it, and of what type each is: the MAC has only how it is written. */
  readonly fields: { readonly [K in keyof T & string]: T[K] extends number ? "integer" : "string" };
  readonly vault: Pick<Vault, "authenticate">;
}

/** More than any note has: the document of 256 people is the longest. */
const MOST_BYTES = 4 * 1024 * 1024;
/** Where another may have planted something: it is nothing to write into. */
const WRITING = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const MOST_ASIDE = 9;

/** The note at a place; nothing is read before it is asked. */
export function stateNote<T extends { readonly [K in keyof T]: string | number }>({
  path,
  domain,
  fields,
  vault,
}: StateNotePlace<T>): StateNote<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  const macOf = async (said: T): Promise<Uint8Array> => {
    const [mac] = await vault.authenticate([boundData(domain, ...names.map((field) => String(said[field])))]);
    return mac as Uint8Array;
  };
  const isTyped = (said: T): boolean =>
    names.every((field) =>
      fields[field] === "integer" ? Number.isSafeInteger(said[field]) : typeof said[field] === "string",
    );
  return {
    read: async () => {
      try {
        const text = await contentOf(path);
        if (text === undefined) return "not ours";
        const stored = JSON.parse(text) as T & { readonly mac: string };
        const said = Object.fromEntries(names.map((field) => [field, stored[field]])) as unknown as T;
        return isTyped(said) && sameMac(await macOf(said), Buffer.from(stored.mac, "hex")) ? said : "not ours";
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        if (error instanceof NoRegularFile || error instanceof SyntaxError || error instanceof TypeError)
          return "not ours";
        throw error;
      }
    },
    keep: async (said) => {
      const mac = Buffer.from(await macOf(said)).toString("hex");
      const text = JSON.stringify({ ...said, mac });
      if (Buffer.byteLength(text) > MOST_BYTES) throw new Error(`${path} would be longer than is read of it`);
      const fresh = `${path}.new`;
      // Whatever lies there, as of a process that died, is nothing to write into.
      await rm(fresh, { force: true });
      const file = await open(fresh, WRITING, 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, path);
    },
    setAside: async () => {
      const aside = await freeName(`${path}.aside`);
      await rename(path, aside);
      return aside;
    },
  };
}

/** The text of a file of no more than a note has; undefined for a longer one. */
async function contentOf(path: string): Promise<string | undefined> {
  const file = await openRegularFile(path, constants.O_RDONLY);
  try {
    const { size } = await file.stat();
    return size <= MOST_BYTES ? await read(file, size) : undefined;
  } finally {
    await file.close();
  }
}

/** As much as the file had; undefined where somebody makes it longer meanwhile. */
async function read(file: FileHandle, size: number): Promise<string | undefined> {
  const octets = Buffer.alloc(size + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(octets, length, octets.length - length, length);
    length += bytesRead;
    if (length === octets.length) return undefined;
    if (bytesRead === 0) return octets.toString("utf8", 0, length);
  }
}

/** A name that nothing has yet; the last of them where all are taken. */
async function freeName(name: string): Promise<string> {
  for (let nth = 1; nth < MOST_ASIDE; nth += 1) {
    const free = nth === 1 ? name : `${name}-${nth}`;
    if (!(await isThere(free))) return free;
  }
  return `${name}-${MOST_ASIDE}`;
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}
