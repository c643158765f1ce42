import { hash } from "node:crypto";
import { HASH_BYTES } from "../entry.ts";
import type { Frontier } from "../tree/frontier.ts";
import type { ReadNode } from "../tree/proofs.ts";

const NODE = 0x01;

/**
 * A tree that only grows, for millions of leaves in a row: it keeps its right edge, and the siblings on the way of one
 * entry where that is wanted. The same tree as `append` makes, without a new value for each leaf.
 */
export class GrowingTree {
  readonly #wanted: number | undefined;
  readonly #siblings = new Map<string, Uint8Array>();
  readonly #peaks: Uint8Array[] = [];
  readonly #node = Buffer.alloc(1 + 2 * HASH_BYTES, NODE);
  #size = 0;

  /** @param wanted the sequence of an entry whose inclusion is to be proven */
  constructor(wanted?: number) {
    this.#wanted = wanted === undefined ? undefined : wanted - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The right edge as it is now. */
  get frontier(): Frontier {
    return { size: this.#size, peaks: [...this.#peaks] };
  }

  /** Takes the next leaf. */
  append(leaf: Uint8Array): void {
    let node = leaf;
    let level = 0;
    let index = this.#size;
    this.#keep(level, index, node);
    while (index % 2 === 1) {
      this.#node.set(this.#peaks.pop() as Uint8Array, 1);
      this.#node.set(node, 1 + HASH_BYTES);
      node = hash("sha256", this.#node, "buffer");
      level += 1;
      index = (index - 1) / 2;
      this.#keep(level, index, node);
    }
    this.#peaks.push(node);
    this.#size += 1;
  }

  /** Reads what a proof of the wanted entry in the tree of `frontier` needs: siblings, and the peaks of that tree. */
  reader(frontier: Frontier): ReadNode {
    const nodes = new Map(this.#siblings);
    let from = 0;
    for (const [at, peak] of frontier.peaks.entries()) {
      const width = widths(frontier.size)[at] as number;
      nodes.set(`${Math.log2(width)}/${from / width}`, peak);
      from += width;
    }
    return async (level, index) => {
      const node = nodes.get(`${level}/${index}`);
      if (node === undefined) throw new RangeError(`node ${index} of level ${level} was not kept`);
      return node;
    };
  }

  #keep(level: number, index: number, node: Uint8Array): void {
    if (this.#wanted === undefined) return;
    const own = Math.floor(this.#wanted / 2 ** level);
    if (index === (own % 2 === 0 ? own + 1 : own - 1) || (level === 0 && index === own))
      this.#siblings.set(`${level}/${index}`, node);
  }
}

/** Widths of the complete subtrees that a tree of `size` consists of, the largest first. */
function widths(size: number): number[] {
  const found: number[] = [];
  for (let width = 2 ** Math.floor(Math.log2(Math.max(size, 1))), rest = size; width >= 1; width /= 2)
    if (rest >= width) {
      found.push(width);
      rest -= width;
    }
  return found;
}
