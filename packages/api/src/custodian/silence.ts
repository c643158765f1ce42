/**
 * Notices that somebody who owes an answer has gone silent, although the connection stands: a process that was stopped, or
 * that hangs.
 *
 * States: *quiet* (nobody waits, no timer runs), *waiting* (a timer runs until {@link heard} or the limit).
 */
export class Silence {
  readonly #milliseconds: number;
  readonly #onSilence: () => void;
  #timer: NodeJS.Timeout | undefined;
  #last: NodeJS.Immediate | undefined;

  constructor(milliseconds: number, onSilence: () => void) {
    this.#milliseconds = milliseconds;
    this.#onSilence = onSilence;
  }

  /** A question was asked. Others that wait longer set the time. */
  asked(): void {
    this.#timer ??= setTimeout(() => {
      // What arrived while this process was itself held up is still to be read, and counts.
      this.#last = setImmediate(this.#onSilence);
    }, this.#milliseconds);
  }

  /** Something was heard; `waiting` says whether more is owed. */
  heard(waiting: boolean): void {
    this.end();
    if (waiting) this.asked();
  }

  /** Nobody listens any more. */
  end(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#last);
    this.#timer = undefined;
    this.#last = undefined;
  }
}
