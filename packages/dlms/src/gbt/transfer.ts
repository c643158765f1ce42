import { NO_BYTES } from "../bytes.ts";
import { decode, encode } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";
import { LineError } from "../link/line-error.ts";
import { type Apdu, apdu } from "../xdlms/apdu.ts";
import type { GeneralBlockTransfer } from "../xdlms/datablock.ts";
import { IncomingStream } from "./incoming.ts";
import { HIGHEST_BLOCK_NUMBER, type OutgoingBlock, OutgoingStream } from "./outgoing.ts";

/** The tag of a general-block-transfer APDU. */
export const GENERAL_BLOCK_TRANSFER_TAG = 0xe0;
/** The most blocks a window holds: its field has 6 bits. */
export const MOST_WINDOW_BLOCKS = 63;
/** Tag, block control, two block numbers and a length of three octets. */
export const BLOCK_OVERHEAD_BYTES = 9;
const DEFAULT_MAX_APDU_BYTES = 16 * 1024 * 1024;
const DEFAULT_MAX_FRUITLESS_ROUNDS = 5;

export interface BlockTransferOptions {
  /** The client repeats what got no answer; the server speaks only when it is spoken to. */
  readonly role: "client" | "server";
  /** Octets of data in one block: the other side's PDU size less {@link BLOCK_OVERHEAD_BYTES}. */
  readonly blockBytes: number;
  /** Blocks that this side takes in a row, 1 to 63; 1 unless given: then each block is confirmed. */
  readonly windowBlocks?: number;
  /** Blocks that the other side is believed to take in a row until it says so itself; 1 unless given. */
  readonly peerWindowBlocks?: number;
  /** Blocks that this side sends in a row at most, however many the other takes; 63 unless given. */
  readonly mostInARow?: number;
  /** Octets that a received APDU may grow to; 16 MiB unless given. */
  readonly maxApduBytes?: number;
  /** Where the other side departs from the standard. */
  readonly quirks?: BlockTransferQuirks;
  /** Rounds without anything new after which the transfer is given up; 5 unless given. */
  readonly maxFruitlessRounds?: number;
}

/** Departures of the other side that cannot be told from its blocks before it is too late. */
export interface BlockTransferQuirks {
  /**
   * It takes only confirmations with the last-block bit for ones. A server that confirms has still to answer, so that by the
   * standard no block of its is the last (Green Book 9.4.6.13). Seen: Gurux Java as a client.
   */
  readonly wantsLastBlockInConfirmations?: boolean;
  /** Where it confirms block 65 535 it means all that it was sent. Seen: Gurux Java, in the last block of a request. */
  readonly confirmsAllAs65535?: boolean;
}

/** What to do next. */
export type BlockTransferStep =
  /** Send this APDU, with no answer awaited between several. */
  | { readonly kind: "send"; readonly apdu: Uint8Array }
  /** All blocks of the other side's message are there: one APDU, ciphered as it was sliced. Verify it before use. */
  | { readonly kind: "complete"; readonly apdu: Uint8Array }
  /** The transfer is over. */
  | { readonly kind: "failed"; readonly error: LineError };

/** Whether an APDU is a block of a general block transfer. */
export function isBlock(octets: Uint8Array): boolean {
  return octets[0] === GENERAL_BLOCK_TRANSFER_TAG;
}

/**
 * General block transfer of one request and its response, for either side (IEC 62056-5-3, 7.3.13 and Green Book
 * 9.4.6.13). What is sliced is one whole APDU, ciphered where it is to be; what is put together is handed out only
 * when it is whole, to be verified then.
 *
 * States: *open*: blocks travel, whose turn it is the streaming bit says: with it set the same side goes on, without it
 * the other one answers with its own blocks or with a confirmation that carries none. *Over*: after a failure. A client
 * is done when the response is complete: its last block is not confirmed (nothing would answer that). A server takes
 * repetitions of the client until the next exchange, for which a new machine is made.
 *
 * Lost blocks are asked for by confirming what lies before the first gap, with a window as wide as the gap. The client
 * calls {@link timeOut} when nothing comes, which repeats its last block; repeated blocks are known by their number.
 *
 * The caller sends all `send` steps in order and then waits for the next APDU, until `complete` or `failed`. With
 * `windowBlocks` 1 on both sides every APDU sent gets exactly one back.
 */
export class BlockTransferMachine {
  readonly #options: BlockTransferOptions;
  readonly #window: number;
  readonly #outgoing = new OutgoingStream();
  readonly #incoming: IncomingStream;
  #peerWindow: number;
  /** The last block that the other side may send before we speak again. */
  #askedUpTo = Number.POSITIVE_INFINITY;
  #delivered = false;
  #over = false;
  #hasMessage = false;
  #fruitless = 0;

  /** @throws DlmsError `out-of-range` for a block size or window that is none. */
  constructor(options: BlockTransferOptions) {
    const { blockBytes, windowBlocks = 1, peerWindowBlocks = 1, mostInARow = MOST_WINDOW_BLOCKS } = options;
    if (!Number.isInteger(blockBytes) || blockBytes < 1)
      throw new DlmsError("out-of-range", `blocks of ${blockBytes} octets: at least 1`);
    for (const blocks of [windowBlocks, peerWindowBlocks, mostInARow])
      if (!Number.isInteger(blocks) || blocks < 1 || blocks > MOST_WINDOW_BLOCKS)
        throw new DlmsError("out-of-range", `a window of ${blocks} blocks: 1 to ${MOST_WINDOW_BLOCKS}`);
    this.#options = options;
    this.#window = windowBlocks;
    this.#peerWindow = peerWindowBlocks;
    this.#incoming = new IncomingStream(options.maxApduBytes ?? DEFAULT_MAX_APDU_BYTES);
  }

  /**
   * Begins to send the own message: the client's request, or the server's response.
   *
   * @throws LineError `line-misused` when one was sent before in this exchange, `apdu-too-long` beyond 65 535 blocks.
   */
  start(message: Uint8Array): readonly BlockTransferStep[] {
    if (this.#over || this.#hasMessage) throw new LineError("line-misused", "one message a side in a block transfer");
    this.#outgoing.append(message, this.#options.blockBytes);
    this.#hasMessage = true;
    return this.#sendWindow();
  }

  /** Takes a general-block-transfer APDU of the other side. Nothing it holds can make this throw. */
  take(octets: Uint8Array): readonly BlockTransferStep[] {
    if (this.#over) return [];
    try {
      return this.#take(readBlockApdu(octets));
    } catch (error) {
      if (!(error instanceof DlmsError)) throw error;
      const failure = error instanceof LineError ? error : malformed(error);
      return this.abort(failure);
    }
  }

  /** Nothing came in time: what the client sent last is sent again, unless that has been done often enough. */
  timeOut(): readonly BlockTransferStep[] {
    if (this.#over || this.#options.role === "server") return [];
    const exhausted = this.#countFruitless("line-silent", "no block came");
    if (exhausted !== undefined) return this.abort(exhausted);
    if (!this.#outgoing.isPending) return [this.#confirm()];
    // The last block of the window alone: what else is missing, the answer will name.
    const last = this.#outgoing.window(this.#inARow).at(-1);
    return last === undefined ? [this.#confirm()] : [this.#send(last, false)];
  }

  /** Gives the transfer up and tells the other side. */
  abort(error: LineError): readonly BlockTransferStep[] {
    if (this.#over) return [];
    this.#over = true;
    return [
      { kind: "send", apdu: abortApdu() },
      { kind: "failed", error },
    ];
  }

  #take(block: GeneralBlockTransfer): readonly BlockTransferStep[] {
    const { control, blockNumber, blockNumberAck, blockData } = block;
    if (blockNumber === 0 && blockNumberAck === 0 && control.lastBlock && blockData.length === 0) {
      this.#over = true;
      const error = new LineError("transfer-aborted", "the other side gave up the block transfer");
      return [{ kind: "failed", error }];
    }
    if (blockNumber === 0) throw new LineError("transfer-inconsistent", "a block with number 0");
    const before = this.#outgoing.acknowledged;
    const { confirmsAllAs65535 = false } = this.#options.quirks ?? {};
    const confirmed =
      confirmsAllAs65535 && blockNumberAck === HIGHEST_BLOCK_NUMBER ? this.#outgoing.sent : blockNumberAck;
    if (!this.#outgoing.acknowledge(confirmed))
      throw new LineError("transfer-inconsistent", `block ${blockNumberAck} is confirmed, and was never sent`);
    this.#peerWindow = Math.max(1, control.window);
    const isNew = this.#incoming.take(block);
    const hasProgress = isNew || this.#outgoing.acknowledged > before;
    if (hasProgress) this.#fruitless = 0;
    if (this.#incoming.isComplete && !this.#delivered) {
      this.#delivered = true;
      this.#over = this.#options.role === "client";
      return [{ kind: "complete", apdu: this.#incoming.joined() }];
    }
    // A server that has sent all that was asked for waits, whatever its streaming bit says (Gurux Java sets it always).
    const goesOn = control.streaming && blockNumber < this.#askedUpTo;
    if (goesOn || (this.#delivered && !this.#outgoing.isPending)) return [];
    // A late copy of an answer to a client that has asked again: to answer both would double everything from here on.
    if (!hasProgress && this.#options.role === "client") return [];
    const exhausted = hasProgress ? undefined : this.#countFruitless("transfer-inconsistent", "nothing new comes");
    if (exhausted !== undefined) return this.abort(exhausted);
    return this.#outgoing.isPending ? this.#sendWindow() : [this.#confirm()];
  }

  /** A window is the most that the other side takes: it answers whatever block says that no more follow (streaming off). */
  get #inARow(): number {
    return Math.min(this.#peerWindow, this.#options.mostInARow ?? MOST_WINDOW_BLOCKS);
  }

  #sendWindow(): readonly BlockTransferStep[] {
    const blocks = this.#outgoing.window(this.#inARow);
    return blocks.map((block, index) => this.#send(block, index < blocks.length - 1));
  }

  #confirm(): BlockTransferStep {
    // A client has said all when it confirms; a server has still to answer.
    const { role, quirks } = this.#options;
    const block = this.#outgoing.confirmation(role === "client" || quirks?.wantsLastBlockInConfirmations === true);
    return this.#send(block, false, this.#incoming.gapBlocks || this.#window);
  }

  #send({ number, last, data }: OutgoingBlock, streaming: boolean, window = this.#window): BlockTransferStep {
    this.#askedUpTo = this.#incoming.contiguous + window;
    const value: GeneralBlockTransfer = {
      control: { lastBlock: last, streaming, window },
      blockNumber: number,
      blockNumberAck: this.#incoming.contiguous,
      blockData: data,
    };
    return { kind: "send", apdu: blockOctets(value) };
  }

  #countFruitless(code: "line-silent" | "transfer-inconsistent", what: string): LineError | undefined {
    this.#fruitless += 1;
    const most = this.#options.maxFruitlessRounds ?? DEFAULT_MAX_FRUITLESS_ROUNDS;
    if (this.#fruitless <= most) return undefined;
    return new LineError(
      code,
      `${what} in a block transfer, asked ${most} times after block ${this.#incoming.contiguous}`,
    );
  }
}

function readBlockApdu(octets: Uint8Array): GeneralBlockTransfer {
  const value: Apdu = decode(apdu, octets);
  if (value.kind !== "general-block-transfer")
    throw new LineError("transfer-inconsistent", `a ${value.kind} where a block belongs`);
  return value.value;
}

function blockOctets(value: GeneralBlockTransfer): Uint8Array {
  return encode(apdu, { kind: "general-block-transfer", value });
}

/** How a side gives up: a last block with number 0 that confirms nothing (Green Book 9.4.6.13). */
function abortApdu(): Uint8Array {
  const control = { lastBlock: true, streaming: false, window: 0 };
  return blockOctets({ control, blockNumber: 0, blockNumberAck: 0, blockData: NO_BYTES });
}

function malformed(cause: DlmsError): LineError {
  return new LineError("transfer-inconsistent", `a block cannot be read: ${cause.message}`, { cause });
}
