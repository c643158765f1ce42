import { equalBytes } from "../bytes.ts";
import {
  BLOCK_OVERHEAD_BYTES,
  BlockTransferMachine,
  type BlockTransferQuirks,
  type BlockTransferStep,
} from "../gbt/transfer.ts";

/** Where block-number-ack stands in a general-block-transfer APDU. */
const ACK_AT = 4;
const BLOCK_NUMBER_AT = 2;

/** Limits of one general block transfer. */
export interface BlockLimits {
  /** Octets of the longest APDU that the client takes. */
  readonly maxSendBytes: number;
  /** Octets that a request may grow to. */
  readonly maxRequestBytes: number;
  /** Blocks that this server takes in a row. */
  readonly windowBlocks: number;
  readonly quirks: BlockTransferQuirks;
}

/** What has to go out: the first is the answer, the others follow it without being asked for. */
export type Answers = readonly Uint8Array[];

/**
 * The general block transfers of one connection, one exchange after the other (Green Book 9.4.6.13).
 *
 * States: none under way; one under way, until the client begins the next exchange or gives up. A first block that is the
 * very same as the one before is a repetition, another one begins the next exchange.
 */
export class BlockTransfers {
  #machine: BlockTransferMachine | undefined;
  #first: Uint8Array | undefined;

  /** Takes a block. `respond` is called with the whole request when it is complete; it gives the response, if any. */
  take(octets: Uint8Array, limits: BlockLimits, respond: (request: Uint8Array) => Uint8Array | undefined): Answers {
    if (beginsExchange(octets) && (this.#first === undefined || !equalBytes(octets, this.#first))) {
      this.#machine = machineFor(limits);
      this.#first = octets.slice();
    }
    this.#machine ??= machineFor(limits);
    return this.#perform(this.#machine, this.#machine.take(octets), respond);
  }

  /** Sends a response that is too long for one APDU, to a request that was none of blocks. */
  send(response: Uint8Array, limits: BlockLimits): Answers {
    this.end();
    this.#machine = machineFor(limits);
    return this.#perform(this.#machine, this.#machine.start(response), () => undefined);
  }

  /** Another request came: what was under way is over. */
  end(): void {
    this.#machine = undefined;
    this.#first = undefined;
  }

  #perform(
    machine: BlockTransferMachine,
    steps: readonly BlockTransferStep[],
    respond: (request: Uint8Array) => Uint8Array | undefined,
  ): Answers {
    const answers: Uint8Array[] = [];
    for (const step of steps) {
      if (step.kind === "send") answers.push(step.apdu);
      else if (step.kind === "failed") this.end();
      else {
        const response = respond(step.apdu);
        // Nothing more comes of it: the same blocks once more are another request.
        if (response === undefined) this.end();
        else answers.push(...this.#perform(machine, machine.start(response), respond));
      }
    }
    return answers;
  }
}

function machineFor({ maxSendBytes, maxRequestBytes, windowBlocks, quirks }: BlockLimits): BlockTransferMachine {
  return new BlockTransferMachine({
    role: "server",
    blockBytes: Math.max(1, maxSendBytes - BLOCK_OVERHEAD_BYTES),
    windowBlocks,
    quirks,
    maxApduBytes: maxRequestBytes,
  });
}

/** Block 1 that confirms nothing. */
function beginsExchange(octets: Uint8Array): boolean {
  const number = ((octets[BLOCK_NUMBER_AT] ?? 0) << 8) | (octets[BLOCK_NUMBER_AT + 1] ?? 0);
  const acknowledged = ((octets[ACK_AT] ?? 0) << 8) | (octets[ACK_AT + 1] ?? 0);
  return number === 1 && acknowledged === 0;
}
