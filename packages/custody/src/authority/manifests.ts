import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import { GuardError, type Manifest, manifestReading } from "@meterkeep/guard";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { AuthorityRecords, ManifestPart } from "./store/records.ts";

/** The longest manifest in octets: a million targets have room. */
export const MAX_MANIFEST_BYTES = 192 * 1024 * 1024;
/** Manifests held open at once; the octets of the largest are 110 MB. */
const MOST_OPEN_BYTES = 256 * 1024 * 1024;
/** A part before it is deflated: hashing it, and copying it, holds nobody up. */
const PART_BYTES = 1024 * 1024;
const DEFLATE_LEVEL = 1;

/** SHA-384 of octets. */
export const sha384 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha384").update(octets).digest());
/** SHA-384 of octets, as lower-case hex: how documents are called. */
export const hashOf = (octets: Uint8Array | string): string => createHash("sha384").update(octets).digest("hex");

/** Octets with their hash. */
interface Gathered {
  readonly octets: Uint8Array;
  readonly hash: string;
}

// What follows takes seconds for the longest manifest and never more than some milliseconds of them at a time: whoever
// throws the kill switch meanwhile is heard at once.

/** Reads a manifest that somebody handed in. @throws CallRefusal `manifest-refused`. */
export async function takeManifest(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ readonly manifest: Manifest; readonly hash: string }> {
  const { octets, hash } = await gather(chunks);
  try {
    return { manifest: await readPatiently(octets), hash };
  } catch (error) {
    if (error instanceof GuardError) throw new CallRefusal("manifest-refused", error.message, { cause: error });
    throw error;
  }
}

/** The parts of a manifest as they are kept. */
export async function* partsOf({ header, octets }: Manifest, hash: string): AsyncGenerator<ManifestPart> {
  const { utility, island } = header;
  for (let part = 0; part * PART_BYTES < octets.length; part += 1) {
    const own = octets.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
    yield { utility, island, hash, part, octets: await promisify(deflateRaw)(own, { level: DEFLATE_LEVEL }) };
  }
}

/** Manifests that are in use, read against their hash once and held as long as there is room. */
export class OpenManifests {
  readonly #records: Pick<AuthorityRecords, "manifestPart">;
  readonly #open = new Map<string, Promise<Manifest | undefined>>();
  #bytes = 0;

  constructor(records: Pick<AuthorityRecords, "manifestPart">) {
    this.#records = records;
  }

  /** The manifest of that hash, or undefined: also where what is stored has another. */
  async find(hash: string): Promise<Manifest | undefined> {
    const held = this.#open.get(hash);
    if (held !== undefined) return held;
    const reading = this.#read(hash);
    this.#open.set(hash, reading);
    const manifest = await reading.catch((error) => {
      this.#open.delete(hash);
      throw error;
    });
    if (manifest === undefined) this.#open.delete(hash);
    else await this.#makeRoom(manifest.octets.length, hash);
    return manifest;
  }

  async #read(hash: string): Promise<Manifest | undefined> {
    let gathered: Gathered;
    try {
      gathered = await gather(this.#octets(hash));
    } catch (error) {
      if (error instanceof CallRefusal || isSpoilt(error)) return undefined;
      throw error;
    }
    return gathered.hash === hash ? readPatiently(gathered.octets) : undefined;
  }

  async *#octets(hash: string): AsyncGenerator<Uint8Array> {
    for (let part = 0; ; part += 1) {
      const deflated = await this.#records.manifestPart(hash, part);
      if (deflated === undefined) return;
      yield await promisify(inflateRaw)(deflated, { maxOutputLength: MAX_MANIFEST_BYTES });
    }
  }

  async #makeRoom(bytes: number, keep: string): Promise<void> {
    this.#bytes += bytes;
    for (const [hash, reading] of this.#open) {
      if (this.#bytes <= MOST_OPEN_BYTES) return;
      if (hash === keep) continue;
      this.#open.delete(hash);
      this.#bytes -= (await reading)?.octets.length ?? 0;
    }
  }
}

/** Chunks as one piece, hashed on the way. @throws CallRefusal `manifest-refused` where there is too much of it. */
async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Gathered> {
  const hash = createHash("sha384");
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MAX_MANIFEST_BYTES)
      throw new CallRefusal("manifest-refused", `a manifest has at most ${MAX_MANIFEST_BYTES} octets`);
    hash.update(chunk);
    parts.push(chunk);
    await nextTurn();
  }
  const octets = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
    await nextTurn();
  }
  return { octets, hash: hash.digest("hex") };
}

/** @throws GuardError `manifest-refused`. */
async function readPatiently(octets: Uint8Array): Promise<Manifest> {
  const reading = manifestReading(octets, sha384);
  for (;;) {
    const { done, value } = reading.next();
    if (done) return value;
    await nextTurn();
  }
}

/** Octets in the store that cannot be inflated. */
function isSpoilt(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(?:Z_|ERR_BUFFER_TOO_LARGE)/.test(String(error.code));
}
