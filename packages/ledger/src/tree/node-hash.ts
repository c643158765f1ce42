import { createHash, hash } from "node:crypto";

/** Hash of an entry in the tree: SHA-256 over 0x00 and its octets (RFC 9162, 2.1.1). */
export function leafHash(octets: Uint8Array): Uint8Array {
  return hashOf(LEAF, octets);
}

/** Hash of two subtrees: SHA-256 over 0x01 and both hashes. A leaf can never be taken for a node. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hashOf(NODE, left, right);
}

/** In one call: a hash object that is fed in parts costs three times as much. */
function hashOf(kind: number, one: Uint8Array, other?: Uint8Array): Uint8Array {
  const octets = Buffer.allocUnsafe(1 + one.length + (other?.length ?? 0));
  octets[0] = kind;
  octets.set(one, 1);
  if (other !== undefined) octets.set(other, 1 + one.length);
  return new Uint8Array(hash("sha256", octets, "buffer"));
}

/** The root of a tree that has no entry: SHA-256 over nothing. */
export const EMPTY_ROOT: Uint8Array = new Uint8Array(createHash("sha256").digest());

const LEAF = 0x00;
const NODE = 0x01;
