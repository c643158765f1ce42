/** Calls a function for each key at most once in a while: at once when it was quiet, and once more at the end of the while when there was more. */
export class PerKeyRate {
  readonly #call: (key: string) => void;
  readonly #whileMs: number;
  readonly #resting = new Map<string, { readonly timer: ReturnType<typeof setTimeout>; again: boolean }>();

  constructor(call: (key: string) => void, whileMs: number) {
    this.#call = call;
    this.#whileMs = whileMs;
  }

  ask(key: string): void {
    const resting = this.#resting.get(key);
    if (resting !== undefined) {
      resting.again = true;
      return;
    }
    this.#resting.set(key, { timer: setTimeout(() => this.#wake(key), this.#whileMs), again: false });
    this.#call(key);
  }

  /** Forgets what was asked for. */
  close(): void {
    for (const { timer } of this.#resting.values()) clearTimeout(timer);
    this.#resting.clear();
  }

  #wake(key: string): void {
    const again = this.#resting.get(key)?.again ?? false;
    this.#resting.delete(key);
    if (again) this.ask(key);
  }
}
