import { EMPTY_ROOT, nodeHash } from "./node-hash.ts";

/**
 * The right edge of a tree: all that is needed to append to it and to know its root, 32 octets for each level.
 *
 * It is a value: `append` gives the next one.
 */
export interface Frontier {
  /** How many entries the tree has. */
  readonly size: number;
  /** The roots of the complete subtrees that the tree consists of, the largest first: one for each bit of `size`. */
  readonly peaks: readonly Uint8Array[];
}

/** A subtree that an append has completed: of 2^`level` entries, the `index`-th of its kind. */
export interface CompletedNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}

export const EMPTY_FRONTIER: Frontier = { size: 0, peaks: [] };

/** Appends an entry by its leaf hash; gives the nodes this completes too, the leaf first, for who keeps them. */
export function append(
  { size, peaks }: Frontier,
  leaf: Uint8Array,
): { readonly frontier: Frontier; readonly completed: readonly CompletedNode[] } {
  const kept = [...peaks];
  const completed: CompletedNode[] = [{ level: 0, index: size, hash: leaf }];
  let hash = leaf;
  for (let level = 0, index = size; index % 2 === 1; level += 1, index = (index - 1) / 2) {
    hash = nodeHash(kept.pop() as Uint8Array, hash);
    completed.push({ level: level + 1, index: (index - 1) / 2, hash });
  }
  return { frontier: { size: size + 1, peaks: [...kept, hash] }, completed };
}

/** The tree's root (the Merkle Tree Hash of RFC 9162, 2.1.1). */
export function rootOf({ peaks }: Frontier): Uint8Array {
  const [last, ...others] = [...peaks].reverse();
  if (last === undefined) return EMPTY_ROOT;
  return others.reduce((right, left) => nodeHash(left, right), last);
}
