/** Sequence numbers have 3 bits. */
const MODULUS_MASK = 7;

/** An information frame that waits to be sent or to be acknowledged. */
export interface OutgoingFrame {
  readonly information: Uint8Array;
  /** More frames of the same APDU follow. */
  readonly segmented: boolean;
}

/** An information frame with its number. */
export interface NumberedFrame extends OutgoingFrame {
  readonly sendNumber: number;
}

/** How a received N(S) stands to what is expected. */
export type Arrival = "next" | "repeated" | "gap";

/**
 * The numbering of I frames in both directions of one connection (IEC 62056-46, 6.4.4.5; ISO/IEC 13239): V(S), V(R),
 * and the frames from the oldest that is not acknowledged. Both stations use the same.
 */
export class NumberedFrames {
  readonly #windowTransmit: number;
  readonly #windowReceive: number;
  /** Frames not acknowledged, the oldest first; the first `#sent` of them have been sent. */
  readonly #queue: OutgoingFrame[] = [];
  #sent = 0;
  /** N(S) of the oldest frame in the queue. */
  #oldest = 0;
  #expected = 0;

  constructor(windows: { readonly windowTransmit: number; readonly windowReceive: number }) {
    this.#windowTransmit = windows.windowTransmit;
    this.#windowReceive = windows.windowReceive;
  }

  /** V(R): the number of the next frame to come, which acknowledges all before it. */
  get receiveNumber(): number {
    return this.#expected;
  }

  /** V(S): the number of the next frame to be sent for the first time. */
  get sendNumber(): number {
    return (this.#oldest + this.#sent) & MODULUS_MASK;
  }

  /** Whether frames wait to be sent or acknowledged. */
  get isPending(): boolean {
    return this.#queue.length > 0;
  }

  enqueue(frames: readonly OutgoingFrame[]): void {
    this.#queue.push(...frames);
  }

  /** The frames that may be sent now, repetitions included: from the oldest, as many as the window holds. */
  burst(): readonly NumberedFrame[] {
    const frames = this.#queue.slice(0, this.#windowTransmit);
    this.#sent = Math.max(this.#sent, frames.length);
    return frames.map((frame, index) => ({ ...frame, sendNumber: (this.#oldest + index) & MODULUS_MASK }));
  }

  /** Takes an N(R): how many frames it acknowledges, or undefined when it names none that was sent. */
  acknowledge(receiveNumber: number): number | undefined {
    const count = (receiveNumber - this.#oldest) & MODULUS_MASK;
    if (count > this.#sent) return undefined;
    this.#queue.splice(0, count);
    this.#sent -= count;
    this.#oldest = receiveNumber;
    return count;
  }

  /** Takes everything sent as acknowledged. */
  acknowledgeAll(): void {
    this.acknowledge(this.sendNumber);
  }

  /** Takes an N(S); only the next one counts. */
  receive(sendNumber: number): Arrival {
    if (sendNumber === this.#expected) {
      this.#expected = (this.#expected + 1) & MODULUS_MASK;
      return "next";
    }
    const behind = (this.#expected - sendNumber) & MODULUS_MASK;
    const ahead = (sendNumber - this.#expected) & MODULUS_MASK;
    // With wide windows a number can be both; to ask again is right for either.
    return behind <= this.#windowReceive && ahead >= this.#windowReceive ? "repeated" : "gap";
  }
}
