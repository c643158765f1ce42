/** How many of something each name has at a time, and no more than a limit. */
export class Counts {
  readonly #counts = new Map<string, number>();
  #all = 0;

  /** Of all names together. */
  get all(): number {
    return this.#all;
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Counts one more; false where that would be more than `most`. */
  enter(name: string, most: number): boolean {
    const now = this.of(name);
    if (now >= most) return false;
    this.#counts.set(name, now + 1);
    this.#all += 1;
    return true;
  }

  /** Counts one less. */
  leave(name: string): void {
    const now = this.of(name);
    if (now === 0) return;
    if (now > 1) this.#counts.set(name, now - 1);
    else this.#counts.delete(name);
    this.#all -= 1;
  }
}
