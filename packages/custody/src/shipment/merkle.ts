import { createHash } from "node:crypto";

/**
 * The Merkle tree hash of RFC 9162, 2.1.1, over leaves that come one after the other; keeps one hash a level.
 *
 * MTH splits n leaves at the largest power of two below n: complete subtrees, left to right, in falling size, which is
 * what the stack holds.
 */
export class MerkleTree {
  readonly #subtrees: { readonly leaves: number; readonly hash: Uint8Array }[] = [];

  append(leaf: Uint8Array): void {
    let subtree = { leaves: 1, hash: hash(0x00, leaf) };
    for (let last = this.#subtrees.at(-1); last?.leaves === subtree.leaves; last = this.#subtrees.at(-1)) {
      this.#subtrees.pop();
      subtree = { leaves: last.leaves * 2, hash: hash(0x01, last.hash, subtree.hash) };
    }
    this.#subtrees.push(subtree);
  }

  /** The root over what was appended so far; of nothing, the hash of nothing. */
  root(): Uint8Array {
    const hashes = this.#subtrees.map((subtree) => subtree.hash);
    if (hashes.length === 0) return new Uint8Array(createHash("sha256").digest());
    return hashes.reduceRight((right, left) => hash(0x01, left, right));
  }
}

function hash(prefix: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const sha256 = createHash("sha256").update(Uint8Array.of(prefix));
  for (const part of parts) sha256.update(part);
  return new Uint8Array(sha256.digest());
}
