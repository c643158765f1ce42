/** Wakes a machine when its deadline has come. Time is `performance.now()`, which no clock correction moves. */
export class DeadlineTimer {
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | undefined;
  #deadline: number | undefined;

  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  /** Wakes at `deadline` instead of what was set before; never where it is undefined. */
  set(deadline: number | undefined): void {
    if (deadline === this.#deadline) return;
    this.clear();
    this.#deadline = deadline;
    if (deadline === undefined) return;
    const wait = Math.max(0, Math.ceil(deadline - performance.now()));
    this.#timer = setTimeout(() => {
      this.#deadline = undefined;
      this.#onDue();
    }, wait);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#deadline = undefined;
  }
}
