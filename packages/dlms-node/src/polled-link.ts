import type { Exchange, Line } from "@meterkeep/dlms";
import type { AnswerQueue } from "./answer-queue.ts";

/** The machine of a link on which one request is under way at a time, as its connection steps it. */
export interface PolledMachine {
  /** Whether it takes a request. */
  readonly isIdle: () => boolean;
  readonly send: (apdu: Uint8Array, expectsAnswer: boolean) => void;
  /** Waits for an APDU that nobody has asked for. */
  readonly expect: () => void;
  /** Gives up what it still waits for. */
  readonly abandon: () => void;
}

/**
 * How requests get their turn on a link that takes one at a time: HDLC, wired M-Bus.
 *
 * States: those of the machine; who comes while it is busy waits until `stepped` finds it idle, or `release` ends it.
 */
export class PolledLink {
  readonly #machine: PolledMachine;
  readonly #answers: AnswerQueue;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(machine: PolledMachine, answers: AnswerQueue) {
    this.#machine = machine;
    this.#answers = answers;
  }

  /** Sends an APDU and gives the response. @throws as `ApduConnection` */
  readonly exchange: Exchange = async (apdu, signal) => {
    await this.#untilIdle();
    return this.#answers.exchange(signal, () => this.#machine.send(apdu, true));
  };

  /** The same one way at a time: `send` resolves when the meter has acknowledged the APDU. */
  readonly line: Line = {
    send: async (apdu) => {
      await this.#untilIdle();
      this.#answers.requireOpen();
      this.#machine.send(apdu, false);
      await this.#untilIdle();
    },
    receive: (signal) =>
      this.#answers.next(signal, () => {
        if (this.#machine.isIdle()) this.#machine.expect();
      }),
  };

  /** The machine has done a step. */
  stepped(): void {
    if (this.#machine.isIdle()) this.release();
  }

  /** Lets whoever waits go on. */
  release(): void {
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  /** Waits until the machine takes a request; what it still waits for has been waited for long enough. */
  async #untilIdle(): Promise<void> {
    if (this.#machine.isIdle() || this.#answers.isWaiting) return;
    this.#answers.requireOpen();
    this.#machine.abandon();
    if (this.#machine.isIdle()) return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
  }
}
