/** How soon a meter is asked again by whom its line was lost, longer each time. */
const AGAIN_MILLISECONDS = 30_000;
const LONGEST_MILLISECONDS = 3_600_000;

/** Who lost how many lines to a meter, and is not to ask again before when: for others its turn is what it was. */
export class RestingCallers {
  readonly #callers = new Map<string, { readonly lines: number; readonly until: number }>();

  /** Whether a caller is to leave the meter alone for now. */
  isResting(name: string, now: number): boolean {
    return (this.#callers.get(name)?.until ?? 0) > now;
  }

  /** A caller lost a line. @returns after how many milliseconds it may ask again */
  lost(name: string, now: number): number {
    const lines = this.#callers.get(name)?.lines ?? 0;
    const milliseconds = Math.min(AGAIN_MILLISECONDS * 2 ** lines, LONGEST_MILLISECONDS);
    this.#callers.set(name, { lines: lines + 1, until: now + milliseconds });
    return milliseconds;
  }

  /** A caller was interrupted by somebody else: it rests, and no longer each time. @returns after how many milliseconds it may ask again */
  interrupted(name: string, now: number): number {
    this.#callers.set(name, { lines: this.#callers.get(name)?.lines ?? 0, until: now + AGAIN_MILLISECONDS });
    return AGAIN_MILLISECONDS;
  }
}
