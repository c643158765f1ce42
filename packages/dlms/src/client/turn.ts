/**
 * Lets one caller at a time through, in the order they came: a server keeps one transfer in progress, so two requests
 * on one association must not interleave.
 */
export class Turn {
  #last: Promise<void> = Promise.resolve();

  /** Waits for the turn and returns the function that passes it on. Call it exactly once. */
  async take(): Promise<() => void> {
    const before = this.#last;
    let pass: () => void = () => {};
    this.#last = new Promise<void>((resolve) => {
      pass = resolve;
    });
    await before;
    return pass;
  }

  /** Runs `work` when it is its turn. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const pass = await this.take();
    try {
      return await work();
    } finally {
      pass();
    }
  }
}
