import { scryptSync } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { basename, dirname } from "node:path";
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
 * The root key that shall take the place of the one in a file: made beside it, under another name, or found there from a
 * change that was cut off.
 */
export async function nextRootKey(path: string): Promise<SecretKey> {
  return (await readBeside(nextOf(path))) ?? createRootKey(nextOf(path));
}

/**
 * Ends a change of the root key in a file, where one was made durable: the key beside it that has `id` takes its place, and
 * the former one is set aside. Otherwise nothing happens. @returns where the former one is then
 */
export async function settleRootKey(path: string, id: string): Promise<string | undefined> {
  using next = await readBeside(nextOf(path));
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

/** A new file for its owner alone, name and all on the disk when this resolves. */
async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, OWNER_ONLY);
  try {
    await file.chmod(OWNER_ONLY);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
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
