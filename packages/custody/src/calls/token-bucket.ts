/** How much may be taken at once, and how much comes back a second. */
export interface BucketSize {
  readonly burst: number;
  readonly perSecond: number;
}

/** What was left of a bucket, and when. */
const NUMBERS_A_BUCKET = 2;
const FIRST_BUCKETS = 16;

/**
 * Buckets of tokens by name, each full until somebody takes from it. A bucket that is full again is forgotten. With `since`
 * all of them were empty then: whoever counts by them and remembers nothing from before starts there.
 *
 * Who takes from one again and again holds it, and takes by its number: of very many each is then one look at memory.
 */
export class TokenBuckets {
  readonly #size: BucketSize;
  readonly #now: () => number;
  readonly #since: number;
  readonly #numbers = new Map<string, number>();
  /** Of each number what was left, and when. */
  #levels = new Float64Array(FIRST_BUCKETS * NUMBERS_A_BUCKET);
  /** Of each number how many hold it; it is not forgotten before nobody does. */
  readonly #holders: number[] = [];
  readonly #free: number[] = [];

  constructor(size: BucketSize, now: () => number, since?: number) {
    this.#size = size;
    this.#now = now;
    this.#since = since ?? Number.NEGATIVE_INFINITY;
  }

  /** Takes so many tokens, or none where there are not as many. */
  take(name: string, tokens: number): boolean {
    const known = this.#numbers.get(name);
    if (known !== undefined) return this.takeHeld(known, tokens);
    const isThere = this.#left(0, this.#since, this.#now()) >= tokens;
    return isThere && this.takeHeld(this.#made(name), tokens);
  }

  /** Keeps a bucket from being forgotten; gives its number. Each time it is held it has to be let go of. */
  hold(name: string): number {
    const bucket = this.#numbers.get(name) ?? this.#made(name);
    this.#holders[bucket] = (this.#holders[bucket] as number) + 1;
    return bucket;
  }

  /** `take` of a bucket that is held. */
  takeHeld(bucket: number, tokens: number): boolean {
    const now = this.#now();
    const at = bucket * NUMBERS_A_BUCKET;
    const left = this.#left(this.#levels[at] as number, this.#levels[at + 1] as number, now);
    if (left < tokens) return false;
    this.#levels[at] = left - tokens;
    this.#levels[at + 1] = now;
    return true;
  }

  letGo(bucket: number): void {
    this.#holders[bucket] = (this.#holders[bucket] as number) - 1;
  }

  /** Forgets buckets that are full again. */
  sweep(): void {
    const now = this.#now();
    for (const [name, bucket] of this.#numbers) {
      const at = bucket * NUMBERS_A_BUCKET;
      if (this.#holders[bucket] !== 0) continue;
      if (this.#left(this.#levels[at] as number, this.#levels[at + 1] as number, now) < this.#size.burst) continue;
      this.#numbers.delete(name);
      this.#free.push(bucket);
    }
  }

  /** One that nobody has taken from: what is in it came since all were empty. */
  #made(name: string): number {
    const bucket = this.#free.pop() ?? this.#holders.length;
    const at = bucket * NUMBERS_A_BUCKET;
    if (at === this.#levels.length) {
      const levels = new Float64Array(at * 2);
      levels.set(this.#levels);
      this.#levels = levels;
    }
    this.#levels[at] = 0;
    this.#levels[at + 1] = this.#since;
    this.#holders[bucket] = 0;
    this.#numbers.set(name, bucket);
    return bucket;
  }

  #left(tokens: number, at: number, now: number): number {
    const { burst, perSecond } = this.#size;
    // A clock that was set back gives nothing and takes nothing.
    const seconds = Math.max(0, now - at) / 1000;
    return Math.min(burst, tokens + seconds * perSecond);
  }
}
