import { concatBytes, equalBytes } from "../bytes.ts";
import { decodeFirst, encode } from "../codec/codec.ts";
import { DecodeError, DlmsError } from "../errors.ts";
import { generalBlockTransfer } from "../xdlms/datablock.ts";
import { UNSOLICITED } from "./apdu.ts";
import type { Fault, LinkErrorCode } from "./fault.ts";
import { joinPieces, locate, type Piece } from "./pieces.ts";

/** The longest APDU that is put together from blocks or segments. */
export const LONGEST_TRANSFER_BYTES = 65_535;
/** The most blocks of one transfer: blocks may be empty, so that octets alone bound nothing. */
export const MOST_BLOCKS = 4096;

/** One general-block-transfer APDU (Green Book 9.4.6.13). */
export interface Block {
  /** From 1. */
  readonly number: number;
  readonly last: boolean;
  readonly data: Piece;
  /** Octets behind the block in what it was read from. */
  readonly rest: number;
}

/** Reads one block. @throws DecodeError where its length does not fit. */
export function readBlock(pieces: readonly Piece[]): Block {
  const whole = joinPieces(pieces);
  if (whole[0] !== UNSOLICITED.generalBlockTransfer) throw new DecodeError("unknown-tag", 0, "not a block");
  const { value, rest } = decodeFirst(generalBlockTransfer, whole.subarray(1));
  const { control, blockNumber, blockData } = value;
  const data = { octets: blockData, offset: locate(pieces, whole.length - rest.length - blockData.length) };
  return { number: blockNumber, last: control.lastBlock, data, rest: rest.length };
}

/**
 * Writes an APDU as general-block-transfer APDUs that are streamed without waiting for an answer, as pushes are.
 *
 * @throws DlmsError `out-of-range` for a block size that is none
 */
export function encodeBlocks(apdu: Uint8Array, blockBytes: number): Uint8Array[] {
  if (!Number.isInteger(blockBytes) || blockBytes < 1)
    throw new DlmsError("out-of-range", `blocks of ${blockBytes} octets`);
  const count = Math.max(1, Math.ceil(apdu.length / blockBytes));
  return Array.from({ length: count }, (_, index) => {
    const block = encode(generalBlockTransfer, {
      control: { lastBlock: index === count - 1, streaming: true, window: 0 },
      blockNumber: index + 1,
      blockNumberAck: 0,
      blockData: apdu.subarray(index * blockBytes, (index + 1) * blockBytes),
    });
    return concatBytes(Uint8Array.of(UNSOLICITED.generalBlockTransfer), block);
  });
}

/** What a block did to the transfer it belongs to. */
export type TransferStep =
  | { readonly kind: "waiting" }
  | { readonly kind: "complete"; readonly pieces: readonly Piece[]; readonly blocks: number }
  | { readonly kind: "fault"; readonly fault: Fault };

/**
 * Puts the blocks of one sender together.
 *
 * States: idle, or a transfer with the blocks that have come. A transfer begins with block 1 and is complete when the
 * last block and all before it are there, in whatever order they came. A repeated block is ignored when it is the same
 * again. A block 1 that differs begins a new transfer, and the old one is given up. A block that finds no transfer is
 * refused: taking it would join the end of one telegram to the beginning of the next.
 */
export class BlockTransfer {
  #blocks = new Map<number, Block>();
  #lastNumber: number | undefined;
  #offset = 0;
  #octets = 0;

  /** Whether a transfer has begun and is not complete. */
  get isOpen(): boolean {
    return this.#blocks.size > 0;
  }

  /** Takes a block that stood at `offset`; gives what follows from it, an abandoned transfer first. */
  take(block: Block, offset: number): TransferStep[] {
    const known = this.#blocks.get(block.number);
    const isSame = known !== undefined && known.last === block.last && equalBytes(known.data.octets, block.data.octets);
    if (isSame) return [{ kind: "waiting" }];
    if (block.number === 1) {
      const abandoned = this.abandon();
      this.#offset = offset;
      const begun = this.#add(block);
      return abandoned === undefined ? [begun] : [{ kind: "fault", fault: abandoned }, begun];
    }
    if (!this.isOpen) return [faultStep("block-missing", offset, `block ${block.number} without the blocks before it`)];
    if (known !== undefined) {
      const step = faultStep("block-conflict", offset, `block ${block.number} came twice with different octets`);
      this.#reset();
      return [step];
    }
    return [this.#add(block)];
  }

  /** Gives up the transfer under way; the fault names what is missing. */
  abandon(): Fault | undefined {
    if (!this.isOpen) return undefined;
    const missing: number[] = [];
    const highest = this.#lastNumber ?? Math.max(...this.#blocks.keys());
    for (let number = 1; number <= highest; number += 1) if (!this.#blocks.has(number)) missing.push(number);
    const what =
      missing.length > 0
        ? `block ${missing.slice(0, 8).join(", ")} of ${this.#lastNumber ?? "unknown"} never came`
        : `it ends after block ${highest}, which is not the last`;
    const message = `the block transfer that began at ${this.#offset} was interrupted: ${what}`;
    const fault: Fault = { code: "block-missing", offset: this.#offset, message };
    this.#reset();
    return fault;
  }

  #add(block: Block): TransferStep {
    this.#blocks.set(block.number, block);
    this.#octets += block.data.octets.length;
    if (block.last) this.#lastNumber = block.number;
    if (this.#octets > LONGEST_TRANSFER_BYTES || this.#blocks.size > MOST_BLOCKS) {
      const most = `at most ${LONGEST_TRANSFER_BYTES} octets in ${MOST_BLOCKS} blocks are accepted`;
      const step = faultStep("transfer-too-long", this.#offset, `the block transfer goes on for too long: ${most}`);
      this.#reset();
      return step;
    }
    if (this.#lastNumber === undefined || this.#blocks.size < this.#lastNumber) return { kind: "waiting" };
    const pieces = [...this.#blocks.values()].sort((a, b) => a.number - b.number).map((one) => one.data);
    this.#reset();
    return { kind: "complete", pieces, blocks: pieces.length };
  }

  #reset(): void {
    this.#blocks = new Map();
    this.#lastNumber = undefined;
    this.#octets = 0;
  }
}

function faultStep(code: LinkErrorCode, offset: number, message: string): TransferStep {
  return { kind: "fault", fault: { code, offset, message } };
}
