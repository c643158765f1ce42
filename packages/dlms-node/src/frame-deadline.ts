import type { WrapperFrames } from "./wrapper-frames.ts";

/**
 * Ends who begins a wrapper frame and does not end it. More octets of the same frame buy no more time.
 *
 * States: idle; running, while a frame is unfinished.
 */
export class FrameDeadline {
  readonly #milliseconds: number;
  readonly #onLate: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(milliseconds: number, onLate: () => void) {
    this.#milliseconds = milliseconds;
    this.#onLate = onLate;
  }

  /** Octets came: `completed` frames are whole with them. */
  saw(frames: Pick<WrapperFrames, "unfinished">, completed: number): void {
    if (completed > 0 || !frames.unfinished) this.clear();
    if (frames.unfinished) this.#timer ??= setTimeout(this.#onLate, this.#milliseconds);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
