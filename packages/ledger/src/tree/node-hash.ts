import { createHash } from "node:crypto";

/** Hash of an entry in the tree: SHA-256 over 0x00 and its octets (RFC 9162, 2.1.1). */
export function leafHash(octets: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(LEAF).update(octets).digest());
}

/** Hash of two subtrees: SHA-256 over 0x01 and both hashes. A leaf can never be taken for a node. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(NODE).update(left).update(right).digest());
}

/** The root of a tree that has no entry: SHA-256 over nothing. */
export const EMPTY_ROOT: Uint8Array = new Uint8Array(createHash("sha256").digest());

const LEAF = Uint8Array.of(0x00);
const NODE = Uint8Array.of(0x01);
