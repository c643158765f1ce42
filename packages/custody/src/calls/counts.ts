/** How many of something each name has at a time, and no more than a limit. */
export class Counts {
  readonly #counts = new Map<string, number>();

  /** Counts one more; false where that would be more than `most`. */
  enter(name: string, most: number): boolean {
    const now = this.#counts.get(name) ?? 0;
    if (now >= most) return false;
    this.#counts.set(name, now + 1);
    return true;
  }

  /** Counts one less. */
  leave(name: string): void {
    const left = (this.#counts.get(name) ?? 1) - 1;
    if (left > 0) this.#counts.set(name, left);
    else this.#counts.delete(name);
  }
}
