import { nodeHash } from "./node-hash.ts";

/** A tree as somebody has signed or remembered it. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * Whether `leaf` is the entry `index` of the tree (RFC 9162, 2.1.3.2). It shares no code with the making of proofs, and
 * proofs of any length and content are answered, never thrown at.
 */
export function includes(head: TreeHead, index: number, leaf: Uint8Array, proof: readonly Uint8Array[]): boolean {
  if (!isPlace(index) || index >= head.size) return false;
  let [place, last] = [index, head.size - 1];
  let root = leaf;
  for (const hash of proof) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      root = nodeHash(hash, root);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else root = nodeHash(root, hash);
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && same(root, head.root);
}

/** Whether the tree `former` is the beginning of `later` (RFC 9162, 2.1.4.2). */
export function isGrownFrom(former: TreeHead, later: TreeHead, proof: readonly Uint8Array[]): boolean {
  if (!isPlace(former.size) || former.size === 0 || former.size > later.size) return false;
  if (former.size === later.size) return proof.length === 0 && same(former.root, later.root);
  const isComplete = Number.isInteger(Math.log2(former.size));
  const [first, ...rest] = isComplete ? [former.root, ...proof] : proof;
  if (first === undefined || proof.length === 0) return false;
  let [place, last] = [former.size - 1, later.size - 1];
  while (place % 2 === 1) [place, last] = [half(place), half(last)];
  let [old, grown] = [first, first];
  for (const hash of rest) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      [old, grown] = [nodeHash(hash, old), nodeHash(hash, grown)];
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else grown = nodeHash(grown, hash);
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && same(old, former.root) && same(grown, later.root);
}

function isPlace(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, at) => octet === b[at]);
}
