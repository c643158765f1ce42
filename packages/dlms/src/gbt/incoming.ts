import { concatBytes, equalBytes } from "../bytes.ts";
import { LineError } from "../link/line-error.ts";
import type { GeneralBlockTransfer } from "../xdlms/datablock.ts";

/** The window field has 6 bits: nothing further ahead of what is complete can be meant. */
const FURTHEST_AHEAD = 63;

interface Held {
  readonly last: boolean;
  readonly data: Uint8Array;
}

/**
 * The blocks that come in, in whatever order, up to a stated size. Nothing of the message can be had before all of it
 * is there.
 */
export class IncomingStream {
  readonly #maxBytes: number;
  readonly #held = new Map<number, Held>();
  #octets = 0;
  #contiguous = 0;
  #lastNumber: number | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The highest number up to which nothing is missing: the block-number-ack to send. */
  get contiguous(): number {
    return this.#contiguous;
  }

  /** Whether all blocks up to the last one are there and carry something: confirmations alone are no message. */
  get isComplete(): boolean {
    return this.#lastNumber !== undefined && this.#contiguous >= this.#lastNumber && this.#octets > 0;
  }

  /** How many blocks are missing before the next that is there; 0 where none is there beyond the gap. */
  get gapBlocks(): number {
    if (this.#held.size === this.#contiguous) return 0;
    let missing = 0;
    while (!this.#held.has(this.#contiguous + 1 + missing)) missing += 1;
    return missing;
  }

  /**
   * Takes a block; false when it is there already, or too far ahead to be meant. Its octets are copied.
   *
   * @throws LineError `transfer-inconsistent` when it contradicts one that is there, `apdu-too-long` beyond the limit.
   */
  take({ blockNumber, blockData, control }: GeneralBlockTransfer): boolean {
    const known = this.#held.get(blockNumber);
    if (known !== undefined) {
      if (known.last === control.lastBlock && equalBytes(known.data, blockData)) return false;
      throw new LineError("transfer-inconsistent", `block ${blockNumber} came twice with different octets`);
    }
    if (blockNumber > this.#contiguous + FURTHEST_AHEAD) return false;
    if (this.#lastNumber !== undefined && blockNumber > this.#lastNumber && blockData.length > 0)
      throw new LineError("transfer-inconsistent", `block ${blockNumber} goes on behind the last, ${this.#lastNumber}`);
    if (this.#octets + blockData.length > this.#maxBytes)
      throw new LineError("apdu-too-long", `the blocks exceed the ${this.#maxBytes} octets allowed`);
    this.#held.set(blockNumber, { last: control.lastBlock, data: blockData.slice() });
    this.#octets += blockData.length;
    // Behind the last block only confirmations come, each marked last as well.
    if (control.lastBlock) this.#lastNumber = Math.min(this.#lastNumber ?? blockNumber, blockNumber);
    while (this.#held.has(this.#contiguous + 1)) this.#contiguous += 1;
    return true;
  }

  /** The message: the data of all blocks in order. */
  joined(): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let number = 1; number <= (this.#lastNumber ?? 0); number += 1) {
      const held = this.#held.get(number);
      if (held !== undefined) parts.push(held.data);
    }
    return concatBytes(...parts);
  }
}
