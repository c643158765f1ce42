/**
 * Lets one caller at a time through, in the order they came: what a caller decides by is what the one before has left. Two
 * requests on one association must not interleave, for example, since a server keeps one transfer in progress.
 *
 * States: free; taken, with callers waiting. Passing on hands the turn to the first who waits, without being free between.
 */
export class Turn {
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  /** Waits for the turn and returns the function that passes it on. Call it exactly once. */
  async take(): Promise<() => void> {
    if (this.#taken) await this.#comes();
    this.#taken = true;
    return this.#pass;
  }

  /** Runs `work` when it is its turn: at once where nobody else has it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken) await this.#comes();
    this.#taken = true;
    try {
      return await work();
    } finally {
      this.#pass();
    }
  }

  #comes(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  readonly #pass = (): void => {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken = false;
    else next();
  };
}
