import { concatBytes } from "../bytes.ts";

/** One block of a long value. */
export interface Block {
  readonly last: boolean;
  /** From 1. */
  readonly number: number;
  readonly octets: Uint8Array;
}

/** A long response on its way out, block by block (Green Book 9.4.6.5). Holds the value until its last block is taken. */
export class OutgoingBlocks {
  readonly #octets: Uint8Array;
  #number = 0;
  #offset = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** The number of the block given last; 0 before the first. */
  get number(): number {
    return this.#number;
  }

  /** The next block, of at most so many octets. Call it once more only while the one before was not the last. */
  next(blockBytes: number): Block {
    const start = this.#offset;
    this.#offset = Math.min(start + Math.max(1, blockBytes), this.#octets.length);
    this.#number += 1;
    return {
      last: this.#offset === this.#octets.length,
      number: this.#number,
      octets: this.#octets.subarray(start, this.#offset),
    };
  }
}

/** What became of a block that came in. */
export type IncomingResult = "more" | "complete" | "wrong-number" | "too-long";

/** A long request coming in, block by block, up to a stated size. */
export class IncomingBlocks {
  readonly #maxBytes: number;
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;
  #number = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The number of the block accepted last; 0 before the first. */
  get number(): number {
    return this.#number;
  }

  /** Takes the next block; its octets are copied. After any other answer than `more` nothing further belongs here. */
  push(block: Block): IncomingResult {
    if (block.number !== this.#number + 1) return "wrong-number";
    if (this.#bytes + block.octets.length > this.#maxBytes) return "too-long";
    this.#number = block.number;
    this.#bytes += block.octets.length;
    if (block.octets.length > 0) this.#parts.push(block.octets.slice());
    return block.last ? "complete" : "more";
  }

  /** Everything that came in, as one. */
  joined(): Uint8Array {
    return concatBytes(...this.#parts);
  }
}
