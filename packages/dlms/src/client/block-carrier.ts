import { BLOCK_OVERHEAD_BYTES, BlockTransferMachine, type BlockTransferStep, isBlock } from "../gbt/transfer.ts";
import type { Cancellation, Exchange, Line } from "./ports.ts";
import { SessionError } from "./session-error.ts";

/** How a client uses general block transfer where both sides agreed on it. */
export interface BlockTransferSettings {
  /** Blocks taken in a row, 1 to 63; 1 unless given, and at most 1 where the session has no `line`. */
  readonly windowBlocks?: number;
  /** Sends long requests so although blocks of their own service were agreed as well. */
  readonly preferred?: boolean;
  /** Octets of data in a block; as many as the server's PDU size allows unless given. */
  readonly blockBytes?: number;
}

/** What a transfer in blocks goes over. */
export interface BlockLine {
  readonly exchange: Exchange;
  readonly line: Line | undefined;
  readonly signal: Cancellation;
  /** Octets of the longest APDU that the server takes. */
  readonly maxSendBytes: number;
  /** Octets that a response may grow to. */
  readonly maxResponseBytes: number;
}

/** Carries one request to its response, either of them in blocks (Green Book 9.4.6.13). */
export class BlockCarrier {
  readonly #over: BlockLine;
  readonly #machine: BlockTransferMachine;

  constructor(over: BlockLine, settings: BlockTransferSettings) {
    this.#over = over;
    this.#machine = new BlockTransferMachine({
      role: "client",
      blockBytes: settings.blockBytes ?? Math.max(1, over.maxSendBytes - BLOCK_OVERHEAD_BYTES),
      // Who can only ask and wait sends one block and takes one, whatever window the server offers.
      ...(over.line === undefined ? { windowBlocks: 1, mostInARow: 1 } : { windowBlocks: settings.windowBlocks ?? 1 }),
      maxApduBytes: over.maxResponseBytes,
    });
  }

  /** Sends a request in blocks and gives the response. @throws LineError what ends the transfer; what the line throws */
  async send(request: Uint8Array): Promise<Uint8Array> {
    return this.#run(this.#machine.start(request));
  }

  /** Goes on from a response whose first block came. @throws as `send` */
  async receive(first: Uint8Array): Promise<Uint8Array> {
    return this.#run(this.#machine.take(first));
  }

  async #run(first: readonly BlockTransferStep[]): Promise<Uint8Array> {
    for (let steps = first; ; ) {
      const sends: Uint8Array[] = [];
      for (const step of steps) {
        if (step.kind === "complete") return step.apdu;
        if (step.kind === "failed") {
          // What the other side is to know of it goes out; nothing is waited for.
          if (this.#over.line !== undefined) for (const apdu of sends) await this.#over.line.send(apdu);
          throw step.error;
        }
        sends.push(step.apdu);
      }
      const received = await this.#exchange(sends);
      if (received === undefined) steps = this.#machine.timeOut();
      else if (isBlock(received)) steps = this.#machine.take(received);
      // An exception-response ends the transfer; so does a short answer to a long request, which needs no blocks.
      else return received;
    }
  }

  async #exchange(sends: readonly Uint8Array[]): Promise<Uint8Array | undefined> {
    const { line, exchange, signal } = this.#over;
    if (line !== undefined) {
      for (const apdu of sends) await line.send(apdu);
      return line.receive(signal);
    }
    const [only, ...more] = sends;
    if (only === undefined || more.length > 0)
      throw new SessionError("line-missing", 'several blocks in a row need the option "line"');
    return exchange(only, signal);
  }
}
