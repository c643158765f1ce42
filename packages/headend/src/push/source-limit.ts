/** How much one sender may send: a bucket that fills at `perSecond` up to `burst`. */
export interface SourceLimit {
  readonly perSecond: number;
  readonly burst: number;
  /** Senders remembered; beyond that the one not heard for the longest time starts with a full bucket again. */
  readonly maxSources: number;
}

export const PUSH_SOURCE_LIMIT: SourceLimit = { perSecond: 500, burst: 5_000, maxSources: 10_000 };

interface Bucket {
  tokens: number;
  at: number;
}

/** What one meter may claim beyond the limit of an address that others flood, or share with it. */
export const PUSH_METER_LIMIT: SourceLimit = { perSecond: 1, burst: 20, maxSources: 100_000 };

/** One bucket a sender. The time is the caller's, in milliseconds. */
export class SourceBuckets {
  readonly #limit: SourceLimit;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: SourceLimit = PUSH_SOURCE_LIMIT) {
    this.#limit = limit;
  }

  /** Takes one from the sender's bucket. @returns false when it is empty. */
  allow(source: string, now: number): boolean {
    const { perSecond, burst, maxSources } = this.#limit;
    const before = this.#buckets.get(source);
    this.#buckets.delete(source);
    const filled = before === undefined ? burst : before.tokens + ((now - before.at) / 1000) * perSecond;
    const tokens = Math.min(burst, filled);
    const allowed = tokens >= 1;
    this.#buckets.set(source, { tokens: allowed ? tokens - 1 : tokens, at: now });
    if (this.#buckets.size > maxSources) {
      const oldest = this.#buckets.keys().next().value;
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return allowed;
  }

  /** Gives one back: what has proven itself counts for nobody's limit. */
  giveBack(source: string): void {
    const bucket = this.#buckets.get(source);
    if (bucket !== undefined) bucket.tokens = Math.min(this.#limit.burst, bucket.tokens + 1);
  }
}
