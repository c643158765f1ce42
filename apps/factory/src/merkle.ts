import { createHash } from "node:crypto";

/**
 * Merkle tree hash of RFC 9162 2.1.1 with SHA-256, computed while the leaves come.
 *
 * States: one root for each complete subtree so far, largest first, as the binary digits of the number of leaves say.
 */
export class MerkleTree {
  readonly #roots: { readonly size: number; readonly hash: Uint8Array }[] = [];

  add(leaf: Uint8Array): void {
    this.#roots.push({ size: 1, hash: createHash("sha256").update(LEAF).update(leaf).digest() });
    for (;;) {
      const right = this.#roots.at(-1);
      const left = this.#roots.at(-2);
      if (left === undefined || right === undefined || left.size !== right.size) return;
      this.#roots.splice(-2, 2, { size: left.size * 2, hash: node(left.hash, right.hash) });
    }
  }

  /** The root over the leaves so far. */
  root(): Uint8Array {
    const hashes = this.#roots.map(({ hash }) => hash);
    const last = hashes.pop();
    if (last === undefined) return createHash("sha256").digest();
    return hashes.reduceRight((right, left) => node(left, right), last);
  }
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

function node(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash("sha256").update(NODE).update(left).update(right).digest();
}
