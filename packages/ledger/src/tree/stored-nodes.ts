import { type CompletedNode, type Frontier, rootOf } from "./frontier.ts";
import { nodeHash } from "./node-hash.ts";
import type { ReadNode } from "./proofs.ts";

/**
 * Every eighth level of the tree is stored: the leaves with their entries, then one node for every 256 of the level below.
 * What lies between is computed again from at most 256 hashes, so that a proof costs a read or two for each stored level.
 */
export const STORED_EVERY = 8;
/** So many of a stored level make one of the next. */
export const STORED_WIDTH: number = 2 ** STORED_EVERY;

/** The stored levels of a tree. */
export interface StoredNodes {
  /** At most `count` hashes of a stored level (0, 8, 16, …), from index `from` on: fewer where there are fewer. */
  nodes(level: number, from: number, count: number): Promise<Uint8Array[]>;
}

/** Whether a completed node is stored apart from the entries. */
export function isStored({ level }: Pick<CompletedNode, "level">): boolean {
  return level > 0 && level % STORED_EVERY === 0;
}

/** Reads any node by what is stored. @throws RangeError for one that is not complete. */
export function readerOf(stored: StoredNodes): ReadNode {
  return async (level, index) => {
    const base = level - (level % STORED_EVERY);
    const width = 2 ** (level - base);
    const hashes = await stored.nodes(base, index * width, width);
    if (hashes.length !== width) throw new RangeError(`node ${index} of level ${level} is not stored`);
    return wholeOf(hashes);
  };
}

/**
 * Reads nodes of a tree that has grown out of a known right edge: what of the first entries is gone, or was changed, is needed for no
 * proof of a later one. @throws RangeError for one of which something later is gone.
 */
export function readerBehind({ size, peaks }: Frontier, stored: StoredNodes): ReadNode {
  const behind = readerOf(stored);
  const known = new Map<string, Uint8Array>();
  for (let [level, from, at] = [Math.floor(Math.log2(Math.max(size, 1))), 0, 0]; level >= 0; level -= 1) {
    const width = 2 ** level;
    if (Math.floor(size / width) % 2 === 0) continue;
    known.set(`${level}/${from / width}`, peaks[at] as Uint8Array);
    from += width;
    at += 1;
  }
  const read: ReadNode = async (level, index) => {
    const peak = known.get(`${level}/${index}`);
    if (peak !== undefined) return peak;
    const isAcross = index * 2 ** level < size && (index + 1) * 2 ** level > size;
    return isAcross
      ? nodeHash(await read(level - 1, 2 * index), await read(level - 1, 2 * index + 1))
      : behind(level, index);
  };
  return read;
}

/** The hash over a complete subtree, by all hashes of one of its levels: a power of two. */
export function wholeOf(hashes: readonly Uint8Array[]): Uint8Array {
  let left = hashes;
  while (left.length > 1) left = pairs(left);
  return left[0] as Uint8Array;
}

/** The right edge of the tree of the first `size` entries. */
export async function frontierAt(read: ReadNode, size: number): Promise<Frontier> {
  const peaks: Uint8Array[] = [];
  for (let level = Math.floor(Math.log2(Math.max(size, 1))), from = 0; level >= 0; level -= 1) {
    const width = 2 ** level;
    if (Math.floor(size / width) % 2 === 0) continue;
    peaks.push(await read(level, from / width));
    from += width;
  }
  return { size, peaks };
}

/** The root of the first `size` entries; undefined where something of it is not stored. */
export async function rootAt(stored: StoredNodes, size: number): Promise<Uint8Array | undefined> {
  try {
    return rootOf(await frontierAt(readerOf(stored), size));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Level by level, the hashes of two neighbours each. */
function pairs(hashes: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let at = 0; at < hashes.length; at += 2)
    above.push(nodeHash(hashes[at] as Uint8Array, hashes[at + 1] as Uint8Array));
  return above;
}
