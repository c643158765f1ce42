import { NO_BYTES } from "../bytes.ts";
import { LineError } from "../link/line-error.ts";

/** Block numbers are of 16 bits and do not wrap (IEC 62056-5-3, 7.3.13). */
export const HIGHEST_BLOCK_NUMBER = 0xffff;

/** A block of the own stream. */
export interface OutgoingBlock {
  /** From 1. */
  readonly number: number;
  readonly last: boolean;
  /** A view of the APDU; empty in a confirmation. */
  readonly data: Uint8Array;
}

/**
 * The blocks that one party sends in an exchange: confirmations without data and the slices of its message, numbered
 * together from 1. What was sent is kept until the exchange is over, since any of it may be asked for again.
 */
export class OutgoingStream {
  readonly #blocks: OutgoingBlock[] = [];
  /** The highest number that the other party has, with all below it. */
  #acknowledged = 0;
  #sent = 0;
  /** The number of the last block with data. */
  #lastData = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The highest number that has been sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether blocks with data are left that the other party has not confirmed. */
  get isPending(): boolean {
    return this.#acknowledged < this.#lastData;
  }

  /** Appends an APDU in slices. @throws LineError `apdu-too-long` where the numbers do not suffice. */
  append(apdu: Uint8Array, blockBytes: number): void {
    const count = Math.max(1, Math.ceil(apdu.length / blockBytes));
    if (this.#blocks.length + count > HIGHEST_BLOCK_NUMBER)
      throw new LineError("apdu-too-long", `${apdu.length} octets take ${count} blocks: ${HIGHEST_BLOCK_NUMBER} exist`);
    for (let index = 0; index < count; index += 1)
      this.#blocks.push({
        number: this.#blocks.length + 1,
        last: index === count - 1,
        data: apdu.subarray(index * blockBytes, (index + 1) * blockBytes),
      });
    this.#lastData = this.#blocks.length;
  }

  /**
   * The block that confirms and carries nothing: the one sent last when it is not confirmed itself, so that a repeated
   * confirmation makes no gap, else a new one.
   */
  confirmation(last: boolean): OutgoingBlock {
    const newest = this.#blocks.at(-1);
    const isOpen = newest !== undefined && newest.data.length === 0 && newest.number > this.#acknowledged;
    if (isOpen) return this.#send(newest);
    if (this.#blocks.length === HIGHEST_BLOCK_NUMBER)
      throw new LineError("apdu-too-long", `more than ${HIGHEST_BLOCK_NUMBER} blocks in one exchange`);
    const block = { number: this.#blocks.length + 1, last, data: NO_BYTES };
    this.#blocks.push(block);
    return this.#send(block);
  }

  /** Takes a block number acknowledged; false when it confirms what was never sent. An older one changes nothing. */
  acknowledge(number: number): boolean {
    if (number > this.#sent) return false;
    this.#acknowledged = Math.max(this.#acknowledged, number);
    return true;
  }

  /** At most `count` blocks from the first that is not confirmed. */
  window(count: number): readonly OutgoingBlock[] {
    const blocks = this.#blocks.slice(this.#acknowledged, this.#acknowledged + count);
    for (const block of blocks) this.#send(block);
    return blocks;
  }

  #send(block: OutgoingBlock): OutgoingBlock {
    this.#sent = Math.max(this.#sent, block.number);
    return block;
  }
}
