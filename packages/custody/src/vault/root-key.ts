import { randomBytes, scryptSync } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { type FileHandle, link, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import { readPrivateFile, requirePrivate } from "./private-file.ts";
import { rootKeyId, VAULT_KEY_BYTES } from "./root-keys.ts";

/** Where the root key comes from. */
export type RootKeySource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "passphrase"; readonly passphrase: string };

/** How a passphrase becomes the root key (RFC 7914); kept beside the vault, not secret. */
export interface ScryptParameters {
  readonly salt: Uint8Array;
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
}

/** 2^17, 8, 1: about 128 MiB and a third of a second. */
export const DEFAULT_SCRYPT: Omit<ScryptParameters, "salt"> = { cost: 131_072, blockSize: 8, parallelization: 1 };

const OWNER_ONLY = 0o600;
/** In the name of a file that is being written. */
const PART = ".part-";

/**
 * Reads the root key, or makes it where `mayCreate`: 32 octets as 64 hex digits in a file with mode 0600.
 *
 * @throws CustodyError `root-key-permissions` when anybody but the owner could read the file or it is another user's,
 * `root-key-missing` when there is none and none may be made, `root-key-malformed` when it is not 64 hex digits.
 */
export async function rootKeyFromFile(
  path: string,
  mayCreate: boolean,
): Promise<{ readonly key: SecretKey; readonly created: boolean }> {
  // Without O_NOFOLLOW a link could make another process's file the root key.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw new CustodyError("root-key-permissions", `the root key ${path} cannot be opened: ${String(error)}`, {
      cause: error,
    });
  });
  if (file === undefined) {
    if (!mayCreate)
      throw new CustodyError(
        "root-key-missing",
        `the vault has a root key, but ${path} is not there: put it back from its backup, a new one opens nothing`,
      );
    if (existsSync(markerOf(path)))
      throw new CustodyError(
        "root-key-missing",
        `a vault was founded with the root key ${path}, which is gone, and the database it is in is not this one: put both back from their backups. Only if all its meters are given up: remove ${markerOf(path)}, and a new vault is founded`,
      );
    return { key: await createRootKey(path), created: true };
  }
  try {
    return { key: await readRootKey(file, path), created: false };
  } finally {
    await file.close();
  }
}

/** Remembers beside a root key that a vault depends on it: should both it and the database be missed, none is made anew. */
export async function markFounded(path: string): Promise<void> {
  if (existsSync(markerOf(path))) return;
  const text = `A vault was founded with ${basename(path)}. Without it none of the vault's keys opens.\n`;
  await writeDurably(markerOf(path), text);
}

function markerOf(path: string): string {
  return `${path}.founded`;
}

/**
 * The root key that shall take the place of the one in a file: made beside it, under another name. One that lies there was
 * never used, and who knows for how long others could read it: it is removed.
 *
 * @param presentId of the root key that opens the vault by its record
 * @throws CustodyError `root-key-wrong` where what lies there opens the vault: it is not removed
 */
export async function nextRootKey(path: string, presentId: string): Promise<SecretKey> {
  using left = await readNext(path);
  if (left !== undefined && rootKeyId(left) === presentId)
    throw new CustodyError("root-key-wrong", `${nextOf(path)} is the present root key of the vault: open it with that`);
  await rm(nextOf(path), { force: true });
  // What a power cut left of one that was being written, or a second name of one.
  const folder = dirname(path);
  for (const name of await readdir(folder))
    if (name.startsWith(`${basename(path)}.`) && name.includes(PART)) await rm(join(folder, name), { force: true });
  return createRootKey(nextOf(path));
}

/** Removes a root key that was made and is not used: the change it was for is known not to have happened. */
export async function dropNextRootKey(path: string, id: string): Promise<void> {
  using next = await readNext(path);
  if (next === undefined || rootKeyId(next) !== id) return;
  await rm(nextOf(path));
  await syncFolderOf(path);
}

/**
 * Ends a change of the root key in a file, where one was made durable: the key beside it that has `id` takes its place, and
 * the former one is set aside. Otherwise nothing happens. @returns where the former one is then
 */
export async function settleRootKey(path: string, id: string): Promise<string | undefined> {
  using present = await readBeside(path);
  if (present !== undefined && rootKeyId(present) === id) return undefined;
  using next = await readNext(path);
  if (next === undefined || rootKeyId(next) !== id) return undefined;
  const former = await setRootKeyAside(path);
  await rename(nextOf(path), path);
  await syncFolderOf(path);
  return former;
}

/** Keeps a root key under a name of its own, since backups from before open with it alone. @returns where; undefined where there is none */
export async function setRootKeyAside(path: string): Promise<string | undefined> {
  using present = await readBeside(path);
  if (present === undefined) return undefined;
  const former = `${path}.former-${rootKeyId(present)}`;
  await rename(path, former);
  await syncFolderOf(path);
  return former;
}

function nextOf(path: string): string {
  return `${path}.next`;
}

/** The next root key beside a file; undefined where there is none, or one that was torn when it was written: no vault has that. */
async function readNext(path: string): Promise<SecretKey | undefined> {
  return readBeside(nextOf(path)).catch((error: unknown) => {
    if (error instanceof CustodyError && error.code === "root-key-malformed") return undefined;
    throw error;
  });
}

/** The root key of a file that may not be there. */
async function readBeside(path: string): Promise<SecretKey | undefined> {
  return existsSync(path) ? (await rootKeyFromFile(path, false)).key : undefined;
}

/** Reads a passphrase from a file with mode 0600. @throws CustodyError `root-key-permissions`, `root-key-missing`. */
export async function readPassphrase(path: string): Promise<string> {
  return (await readPrivateFile(path, "passphrase file")).replace(/\r?\n$/, "");
}

/** The root key of a passphrase. */
export function rootKeyFromPassphrase(passphrase: string, parameters: ScryptParameters): SecretKey {
  const { salt, cost, blockSize, parallelization } = parameters;
  const maxmem = 256 * cost * blockSize;
  return SecretKey.take(
    scryptSync(passphrase.normalize("NFKC"), salt, VAULT_KEY_BYTES, { cost, blockSize, parallelization, maxmem }),
  );
}

async function readRootKey(file: FileHandle, path: string): Promise<SecretKey> {
  requirePrivate(await file.stat({ bigint: true }), path, "root key");
  const text = await file.readFile();
  const digits = text.toString("latin1").trimEnd();
  text.fill(0);
  if (!/^[0-9a-f]{64}$/.test(digits))
    throw new CustodyError("root-key-malformed", `the root key ${path} is not 64 lower-case hex digits`);
  return SecretKey.take(Buffer.from(digits, "hex"));
}

async function createRootKey(path: string): Promise<SecretKey> {
  const key = SecretKey.random(VAULT_KEY_BYTES);
  await writeDurably(path, `${key.lend((bytes) => Buffer.from(bytes).toString("hex"))}\n`);
  return key;
}

/** A new file for its owner alone, name and all on the disk when this resolves; a power cut leaves all of it under its name, or nothing. */
async function writeDurably(path: string, text: string): Promise<void> {
  const part = `${path}${PART}${randomBytes(8).toString("hex")}`;
  try {
    const file = await open(part, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, OWNER_ONLY);
    try {
      await file.chmod(OWNER_ONLY);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    // Not renamed: that would overwrite what another process has made there since.
    await link(part, path);
  } finally {
    await rm(part, { force: true });
  }
  // The name must be durable before a vault depends on it.
  await syncFolderOf(path);
}

async function syncFolderOf(path: string): Promise<void> {
  const folder = await open(dirname(path), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
