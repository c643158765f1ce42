import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { CustodyError } from "../errors.ts";
import { openRegularFile } from "../vault/regular-file.ts";
import type { EscrowedKey, KeyEscrow } from "./key-escrow.ts";

const FILE = "keys.escrow";
const DIGEST_HEX = 16;

interface Waiting {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Not created again: where the other storage is gone, its mount point must not take its place. */
const APPEND = constants.O_RDWR | constants.O_APPEND;
const CREATE = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;

/**
 * Escrow in a file of a directory, which should lie on other storage than the database: one line a key, with a digest, so
 * that a line that a dying machine tore is told from one that is whole. Lines are added and never changed.
 *
 * What is appended while a sync is under way shares the next one. No file stays open between.
 */
export async function openFileEscrow(directory: string): Promise<KeyEscrow> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = await openRegularFile(`${directory}/${FILE}`, CREATE);
    await file.close();
    await syncDirectory(directory);
    return fileEscrow(directory);
  } catch (cause) {
    throw failed(directory, cause);
  }
}

function fileEscrow(directory: string): KeyEscrow {
  let waiting: Waiting[] = [];
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      try {
        await appendTo(`${directory}/${FILE}`, group.map(({ text }) => text).join(""));
        for (const { resolve } of group) resolve();
      } catch (cause) {
        for (const { reject } of group) reject(failed(directory, cause));
      }
    }
    running = undefined;
  };
  return {
    append: (keys) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ text: keys.map(lineOf).join(""), resolve, reject });
      running ??= run();
      return promise;
    },
    read: async function* () {
      const reader = await openRegularFile(`${directory}/${FILE}`, constants.O_RDONLY);
      try {
        for await (const line of createInterface({ input: reader.createReadStream({ autoClose: false }) })) {
          const key = keyOf(line);
          if (key !== undefined) yield key;
        }
      } finally {
        await reader.close();
      }
    },
    close: async () => {
      await running;
    },
  };
}

async function appendTo(path: string, text: string): Promise<void> {
  const file = await openRegularFile(path, APPEND);
  try {
    await endTornLine(file);
    await file.appendFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** A line that a dying machine or a full disk cut short gets its end, so that the next one stands alone. */
async function endTornLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const last = new Uint8Array(1);
  await file.read(last, 0, 1, size - 1);
  if (last[0] !== 0x0a) await file.appendFile("\n");
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function lineOf({ utility, island, systemTitle, setup, purpose, version, sealed, createdAt }: EscrowedKey): string {
  const base64 = Buffer.from(sealed).toString("base64");
  const body = JSON.stringify([1, utility, island, systemTitle, setup, purpose, version, createdAt, base64]);
  return `${digestOf(body)} ${body}\n`;
}

/** The key of a line; undefined where it is torn. */
function keyOf(line: string): EscrowedKey | undefined {
  const body = line.slice(DIGEST_HEX + 1);
  if (line.slice(0, DIGEST_HEX) !== digestOf(body)) return undefined;
  const [, utility, island, systemTitle, setup, purpose, version, createdAt, base64] = JSON.parse(body) as [
    1,
    string,
    string,
    string,
    number,
    EscrowedKey["purpose"],
    number,
    number,
    string,
  ];
  const sealed = new Uint8Array(Buffer.from(base64, "base64"));
  return { utility, island, systemTitle, setup, purpose, version, sealed, createdAt };
}

/** Against torn lines, not against people: what is sealed says itself whether it was changed. */
function digestOf(body: string): string {
  return createHash("sha256").update(body).digest("hex").slice(0, DIGEST_HEX);
}

function failed(directory: string, cause: unknown): CustodyError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CustodyError("escrow-failed", `the escrow in ${directory} takes no key: ${why}; no key is sent`, {
    cause,
  });
}
