import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { GuardError, type Manifest, manifestHeader, readManifest, writeCanonical } from "@meterkeep/guard";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { AuthorityRecords, StoredManifest } from "./store/records.ts";

/** The longest manifest in octets: a million targets have room. */
export const MAX_MANIFEST_BYTES = 192 * 1024 * 1024;
/** Manifests held open at once; the octets of the largest are 110 MB. */
const MOST_OPEN_BYTES = 256 * 1024 * 1024;
const DEFLATE_LEVEL = 1;

/** SHA-384 of octets. */
export const sha384 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha384").update(octets).digest());
/** SHA-384 of octets, as lower-case hex: how documents are called. */
export const hashOf = (octets: Uint8Array | string): string => createHash("sha384").update(octets).digest("hex");

/** Reads a manifest that somebody handed in, and makes it ready to be kept. @throws CallRefusal `manifest-refused`. */
export function keepManifest(octets: Uint8Array, submittedAt: number, submittedBy: string): StoredManifest {
  let manifest: Manifest;
  try {
    manifest = readManifest(octets, sha384);
  } catch (error) {
    if (error instanceof GuardError) throw new CallRefusal("manifest-refused", error.message, { cause: error });
    throw error;
  }
  const { header } = manifest;
  return {
    utility: header.utility,
    island: header.island,
    hash: hashOf(octets),
    header: writeCanonical(manifestHeader, header),
    octets: new Uint8Array(deflateRawSync(octets, { level: DEFLATE_LEVEL })),
    submittedAt,
    submittedBy,
  };
}

/** Manifests that are in use, read against their hash once and held as long as there is room. */
export class OpenManifests {
  readonly #records: Pick<AuthorityRecords, "manifest">;
  readonly #open = new Map<string, Promise<Manifest | undefined>>();
  #bytes = 0;

  constructor(records: Pick<AuthorityRecords, "manifest">) {
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
    const stored = await this.#records.manifest(hash);
    if (stored === undefined) return undefined;
    let octets: Uint8Array;
    try {
      octets = new Uint8Array(inflateRawSync(stored.octets, { maxOutputLength: MAX_MANIFEST_BYTES }));
    } catch {
      return undefined;
    }
    return hashOf(octets) === hash ? readManifest(octets, sha384) : undefined;
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
