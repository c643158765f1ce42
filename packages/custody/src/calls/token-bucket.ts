/** How much may be taken at once, and how much comes back a second. */
export interface BucketSize {
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Buckets of tokens by name, each full until somebody takes from it. A bucket that is full again is forgotten. With `since`
 * all of them were empty then: whoever counts by them and remembers nothing from before starts there.
 */
export class TokenBuckets {
  readonly #size: BucketSize;
  readonly #now: () => number;
  readonly #since: number;
  readonly #held = new Map<string, Bucket>();

  constructor(size: BucketSize, now: () => number, since?: number) {
    this.#size = size;
    this.#now = now;
    this.#since = since ?? Number.NEGATIVE_INFINITY;
  }

  /** Takes so many tokens, or none where there are not as many. */
  take(name: string, tokens: number): boolean {
    const now = this.#now();
    const held = this.#held.get(name);
    const left = this.#left(held, now);
    if (left < tokens) return false;
    // In place: one made for each call would outlive the young generation, and very many meters are taken from in turns.
    if (held === undefined) this.#held.set(name, { tokens: left - tokens, at: now });
    else {
      held.tokens = left - tokens;
      held.at = now;
    }
    return true;
  }

  /** Forgets buckets that are full again. */
  sweep(): void {
    const now = this.#now();
    for (const [name, held] of this.#held) if (this.#left(held, now) >= this.#size.burst) this.#held.delete(name);
  }

  /** What is in a bucket; of one that nobody has taken from, what came since it was empty. */
  #left(held: Bucket | undefined, now: number): number {
    const { burst, perSecond } = this.#size;
    // A clock that was set back gives nothing and takes nothing.
    const seconds = Math.max(0, now - (held?.at ?? this.#since)) / 1000;
    return Math.min(burst, (held?.tokens ?? 0) + seconds * perSecond);
  }
}
