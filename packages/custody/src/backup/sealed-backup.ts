import { createCipheriv, createDecipheriv, createHash, type Hash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import type { SecretKey } from "@meterkeep/dlms-node";
import { CallRefusal } from "../calls/call-refusal.ts";
import { CustodyError } from "../errors.ts";
import {
  newContentKey,
  type RecoveryPrivateKey,
  type RecoveryRecipient,
  unwrapContentKey,
  type WrappedContentKey,
  wrapContentKey,
} from "./recovery-key.ts";

/** The first line of a sealed backup, in clear: who can open it. */
export interface BackupHeader {
  readonly format: "meterkeep-backup-1";
  readonly backup: string;
  /** Milliseconds since 1970 UTC. */
  readonly createdAt: number;
  readonly recipients: readonly WrappedContentKey[];
}

/** Plain octets of one chunk: below a frame of the custodian's channel, sealed and all. */
export const CHUNK_BYTES = 512 * 1024;
const LENGTH_BYTES = 4;
const TAG_BYTES = 16;
const MOST_CHUNK_BYTES = 1024 * 1024;

/**
 * Seals a stream of lines chunk by chunk (AES-256-GCM under a key of this backup alone). The number of a chunk is its
 * nonce, and header, number and whether it is the last are its additional data: none can be left out, moved or cut off.
 */
export class BackupSealer implements Disposable {
  readonly header: Uint8Array;
  readonly #key: SecretKey;
  readonly #headerHash: Uint8Array;
  readonly #sealed: Hash = createHash("sha256");
  readonly #plain: Hash = createHash("sha256");
  #index = 0;
  #waiting: string[] = [];
  #octets = 0;

  constructor(backup: string, createdAt: number, recipients: readonly RecoveryRecipient[]) {
    this.#key = newContentKey();
    const wrapped = recipients.map((recipient) => wrapContentKey(this.#key, recipient));
    const header: BackupHeader = { format: "meterkeep-backup-1", backup, createdAt, recipients: wrapped };
    this.header = Buffer.from(`${JSON.stringify(header)}\n`, "utf8");
    this.#headerHash = createHash("sha256").update(this.header).digest();
    this.#sealed.update(this.header);
  }

  /** Adds a line. @returns true when a chunk is full and wants to be taken. */
  add(line: string): boolean {
    this.#waiting.push(line);
    this.#octets += line.length + 1;
    return this.#octets >= CHUNK_BYTES;
  }

  /** Seals what was added since the last chunk. */
  take(isLast: boolean): Uint8Array {
    const plain = Buffer.from(this.#waiting.map((line) => `${line}\n`).join(""), "utf8");
    this.#waiting = [];
    this.#octets = 0;
    this.#plain.update(plain);
    const index = this.#index;
    this.#index += 1;
    const sealed = this.#key.lend((key) => {
      const cipher = createCipheriv("aes-256-gcm", key, nonceOf(index));
      cipher.setAAD(dataOf(this.#headerHash, index, isLast));
      return Buffer.concat([cipher.update(gzipSync(plain)), cipher.final(), cipher.getAuthTag()]);
    });
    if (sealed.length > MOST_CHUNK_BYTES)
      throw new CallRefusal(
        "backup-not-possible",
        `a row has more than the ${MOST_CHUNK_BYTES} octets that a chunk may have`,
      );
    const octets = Buffer.alloc(LENGTH_BYTES + sealed.length);
    octets.writeUInt32BE(sealed.length, 0);
    sealed.copy(octets, LENGTH_BYTES);
    this.#sealed.update(octets);
    return octets;
  }

  /** SHA-256 over all that was taken, header included, and over the plain lines; hex. To be asked once, at the end. */
  digests(): { readonly sealed: string; readonly plain: string } {
    return { sealed: this.#sealed.digest("hex"), plain: this.#plain.digest("hex") };
  }

  [Symbol.dispose](): void {
    this.#key[Symbol.dispose]();
  }
}

/** The lines of a sealed backup, each verified before it is given. @throws CustodyError `backup-not-authentic` */
export async function* openBackup(octets: AsyncIterable<Uint8Array>, key: RecoveryPrivateKey): AsyncGenerator<string> {
  const source = octetsIn(octets);
  const { header, headerHash } = await readHeader(source);
  const wrapped = header.recipients.find(({ keyId }) => keyId === key.keyId);
  if (wrapped === undefined)
    throw notAuthentic(`it is sealed to ${header.recipients.map(({ name }) => name).join(", ")}, not to ${key.name}`);
  using contentKey = unwrapContentKey(wrapped, key);
  let rest = "";
  for (let index = 0; ; index += 1) {
    const length = await source.take(LENGTH_BYTES);
    if (length === undefined) throw notAuthentic(`it ends before its last chunk, after ${index}`);
    const size = length.readUInt32BE(0);
    if (size < TAG_BYTES || size > MOST_CHUNK_BYTES) throw notAuthentic(`chunk ${index} has ${size} octets`);
    const sealed = await source.take(size);
    if (sealed === undefined) throw notAuthentic(`it ends within chunk ${index}`);
    const isLast = await source.isAtEnd();
    const plain = unsealed(contentKey, headerHash, index, isLast, sealed);
    const lines = (rest + plain.toString("utf8")).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (isLast) break;
  }
  if (rest !== "") throw notAuthentic("its last line is cut off");
}

/** Reads the header alone: who can open the backup. */
export async function backupHeader(octets: AsyncIterable<Uint8Array>): Promise<BackupHeader> {
  return (await readHeader(octetsIn(octets))).header;
}

function unsealed(key: SecretKey, headerHash: Uint8Array, index: number, isLast: boolean, sealed: Buffer): Buffer {
  try {
    return key.lend((octets) => {
      const decipher = createDecipheriv("aes-256-gcm", octets, nonceOf(index), { authTagLength: TAG_BYTES });
      decipher.setAAD(dataOf(headerHash, index, isLast));
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      const packed = Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)), decipher.final()]);
      return gunzipSync(packed);
    });
  } catch (cause) {
    throw new CustodyError("backup-not-authentic", `chunk ${index} of the backup was changed, moved or cut off`, {
      cause,
    });
  }
}

async function readHeader(source: Octets): Promise<{ readonly header: BackupHeader; readonly headerHash: Uint8Array }> {
  const line = await source.line(MOST_CHUNK_BYTES);
  if (line === undefined) throw notAuthentic("it has no header");
  try {
    const header = JSON.parse(line.toString("utf8")) as BackupHeader;
    if (header.format !== "meterkeep-backup-1" || !Array.isArray(header.recipients)) throw new Error("another format");
    return { header, headerHash: createHash("sha256").update(line).update("\n").digest() };
  } catch (cause) {
    throw new CustodyError("backup-not-authentic", "this is no backup of a custodian", { cause });
  }
}

interface Octets {
  take(count: number): Promise<Buffer | undefined>;
  /** Up to the next line feed, without it. */
  line(most: number): Promise<Buffer | undefined>;
  isAtEnd(): Promise<boolean>;
}

function octetsIn(chunks: AsyncIterable<Uint8Array>): Octets {
  const iterator = chunks[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const next = await iterator.next();
    if (next.done === true) return false;
    held = Buffer.concat([held, next.value]);
    return true;
  };
  const cut = (count: number, skip = 0): Buffer => {
    const taken = held.subarray(0, count);
    held = held.subarray(count + skip);
    return taken;
  };
  return {
    take: async (count) => {
      while (held.length < count) if (!(await more())) return undefined;
      return cut(count);
    },
    line: async (most) => {
      for (;;) {
        const end = held.indexOf(0x0a);
        if (end >= 0) return cut(end, 1);
        if (held.length > most || !(await more())) return undefined;
      }
    },
    isAtEnd: async () => held.length === 0 && !(await more()),
  };
}

function nonceOf(index: number): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 8);
  return nonce;
}

function dataOf(headerHash: Uint8Array, index: number, isLast: boolean): Uint8Array {
  const tail = Buffer.alloc(5);
  tail.writeUInt32BE(index, 0);
  tail.writeUInt8(isLast ? 1 : 0, 4);
  return Buffer.concat([headerHash, tail]);
}

function notAuthentic(why: string): CustodyError {
  return new CustodyError("backup-not-authentic", `the backup is not whole: ${why}`);
}
