import { nodeHash } from "./node-hash.ts";

/** Gives the hash of a complete subtree of 2^`level` entries, the `index`-th of its kind. */
export type ReadNode = (level: number, index: number) => Promise<Uint8Array>;

/**
 * The hashes that lead from an entry to the root (RFC 9162, 2.1.3.1).
 *
 * @param index of the entry, from 0 and below `size`
 */
export async function inclusionProof(read: ReadNode, index: number, size: number): Promise<Uint8Array[]> {
  checkOrder(index + 1, size, "an entry outside the tree");
  const proof: Uint8Array[] = [];
  for (let [from, to] = [0, size]; to - from > 1; ) {
    const middle = from + leftOf(to - from);
    const isLeft = index < middle;
    proof.unshift(await (isLeft ? subtree(read, middle, to) : subtree(read, from, middle)));
    [from, to] = isLeft ? [from, middle] : [middle, to];
  }
  return proof;
}

/** The hashes that show a tree of `former` entries to be the beginning of one of `size` (RFC 9162, 2.1.4.1). */
export async function consistencyProof(read: ReadNode, former: number, size: number): Promise<Uint8Array[]> {
  checkOrder(former, size, "a tree larger than the one it should have grown into");
  const proof: Uint8Array[] = [];
  let whole = true;
  let [from, to] = [0, size];
  while (former < to) {
    const middle = from + leftOf(to - from);
    if (former <= middle) {
      proof.unshift(await subtree(read, middle, to));
      to = middle;
    } else {
      proof.unshift(await subtree(read, from, middle));
      from = middle;
      whole = false;
    }
  }
  return whole ? proof : [await subtree(read, from, to), ...proof];
}

/** The root of the entries from `from` up to `to`, put together of complete subtrees. */
async function subtree(read: ReadNode, from: number, to: number): Promise<Uint8Array> {
  const entries = to - from;
  const level = Math.log2(entries);
  if (Number.isInteger(level)) return read(level, from / entries);
  const middle = from + leftOf(entries);
  return nodeHash(await subtree(read, from, middle), await subtree(read, middle, to));
}

/** The largest power of two below `entries`. */
function leftOf(entries: number): number {
  return 2 ** Math.ceil(Math.log2(entries) - 1);
}

function checkOrder(least: number, size: number, what: string): void {
  if (least < 1 || least > size) throw new RangeError(`${what}: ${least} of ${size}`);
}
