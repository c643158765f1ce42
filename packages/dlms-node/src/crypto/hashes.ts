import { createHash, randomBytes } from "node:crypto";
import type { Hashes, RandomOctets } from "@meterkeep/dlms";

const NAMES = { md5: "md5", "sha-1": "sha1", "sha-256": "sha256", "sha-384": "sha384" } as const;

/** Hashes by node:crypto. */
export const nodeHashes: Hashes = {
  digest: (algorithm, octets) => new Uint8Array(createHash(NAMES[algorithm]).update(octets).digest()),
};

/** Octets from the operating system's randomness. */
export const nodeRandom: RandomOctets = (count) => new Uint8Array(randomBytes(count));
