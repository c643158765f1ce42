/** How much may be taken at once, and how much comes back a second. */
export interface BucketSize {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * Buckets of tokens by name, each full until somebody takes from it. A bucket that is full again is forgotten. With `since`
 * all of them were empty then: whoever counts by them and remembers nothing from before starts there.
 */
export class TokenBuckets {
  readonly #size: BucketSize;
  readonly #now: () => number;
  readonly #since: number;
  readonly #held = new Map<string, { tokens: number; at: number }>();

  constructor(size: BucketSize, now: () => number, since?: number) {
    this.#size = size;
    this.#now = now;
    this.#since = since ?? Number.NEGATIVE_INFINITY;
  }

  /** Takes so many tokens, or none where there are not as many. */
  take(name: string, tokens: number): boolean {
    const left = this.#left(name);
    if (left < tokens) return false;
    this.#held.set(name, { tokens: left - tokens, at: this.#now() });
    return true;
  }

  /** Forgets buckets that are full again. */
  sweep(): void {
    for (const name of this.#held.keys()) if (this.#left(name) >= this.#size.burst) this.#held.delete(name);
  }

  #left(name: string): number {
    const { burst, perSecond } = this.#size;
    const held = this.#held.get(name) ?? { tokens: 0, at: this.#since };
    // A clock that was set back gives nothing and takes nothing.
    const seconds = Math.max(0, this.#now() - held.at) / 1000;
    return Math.min(burst, held.tokens + seconds * perSecond);
  }
}
