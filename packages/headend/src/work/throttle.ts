import type { Meter, MeterId } from "../inventory/meter.ts";

/** What meters share on their way: each can be overloaded, and can fail, by itself. */
export const WAY_KINDS = ["concentrator", "cell", "network"] as const;
export type WayKind = (typeof WAY_KINDS)[number];

/** How fast sessions may begin over one concentrator, cell or network. */
export interface WayLimit {
  /** Sessions a second: where it begins and what it never exceeds. */
  readonly highest: number;
  /** What is left of it when nothing answers: the probe by which its return is noticed. */
  readonly lowest: number;
  /** By how much the rate grows in a second in which it is used up, sessions a second. */
  readonly step: number;
  /** Sessions that may begin at once. */
  readonly burst: number;
}

/** A concentrator has about 130 meters; a cell is a transformer's area. */
export const WAY_LIMITS: Readonly<Record<WayKind, WayLimit>> = {
  concentrator: { highest: 20, lowest: 0.05, step: 0.1, burst: 16 },
  cell: { highest: 200, lowest: 0.1, step: 0.5, burst: 64 },
  network: { highest: 2_000, lowest: 1, step: 10, burst: 256 },
};

/** How a session ended, as far as the way to the meter is concerned. */
export type WayOutcome = "answered" | "silent";

/** As many outcomes must be known before a rate is halved, and after that as many again. */
const SAMPLES = 32;
/** More than this share of silence is not a few dead meters any more. */
const SILENT_SHARE = 0.3;
/** Nobody is told to come later than this: it comes back and asks again. */
const LONGEST_SECONDS = 300;
/** Promises to meters that another worker has had meanwhile are forgotten when there are so many. */
const MOST_PROMISES = 20_000;

/**
 * Decides when a session may begin, so that what fails is spared and what is slow is not overrun. One token bucket a
 * concentrator, cell and network: the rate grows by a fixed step while sessions are answered and is halved when most are not
 * (AIMD), so that several workers find a fair share without speaking with each other. Kept in memory alone: a new worker begins
 * at its share of the highest rate, as soon as it knows how many there are, and learns within a few dozen sessions.
 *
 * A meter that must wait gets the time of its own token, which is kept for it until it comes.
 */
export class Throttle {
  readonly #limits: Readonly<Record<WayKind, WayLimit>>;
  readonly #buckets = new Map<string, Bucket>();
  readonly #promised = new Map<MeterId, number>();
  #workers = 1;

  constructor(limits: Readonly<Record<WayKind, WayLimit>> = WAY_LIMITS) {
    this.#limits = limits;
  }

  /**
   * When a session with the meter may begin: `now` or later, milliseconds. `urgent` never waits, and is counted like any
   * other, so that the others make room.
   */
  admit(meter: Way, urgent: boolean, now: number): number {
    const promised = this.#promised.get(meter.id);
    if (promised !== undefined && (urgent || promised <= now)) {
      this.#promised.delete(meter.id);
      return now;
    }
    if (promised !== undefined) return promised;
    const buckets = this.#bucketsOf(meter);
    const at = urgent ? now : buckets.reduce((latest, bucket) => Math.max(latest, bucket.free(now)), now);
    if (at > now + LONGEST_SECONDS * 1000) return now + LONGEST_SECONDS * 1000;
    for (const bucket of buckets) bucket.take(now);
    if (at > now) this.#promise(meter.id, at, now);
    return at;
  }

  /** Says how a session went. What the meter said, however bad, is an answer. */
  learn(meter: Way, outcome: WayOutcome): void {
    for (const bucket of this.#bucketsOf(meter)) bucket.learn(outcome);
  }

  /** So many workers share each way: none begins, or grows, beyond its part of what the way takes. */
  shareWith(workers: number): void {
    this.#workers = Math.max(1, workers);
    for (const bucket of this.#buckets.values()) bucket.shareWith(this.#workers);
  }

  /** The rates that are below the highest, sessions a second. */
  get slowed(): ReadonlyMap<string, number> {
    const slow = [...this.#buckets].filter(([, bucket]) => bucket.isSlowed);
    return new Map(slow.map(([name, { rate }]) => [name, rate]));
  }

  #promise(meter: MeterId, at: number, now: number): void {
    if (this.#promised.size >= MOST_PROMISES)
      for (const [id, time] of this.#promised) if (time < now) this.#promised.delete(id);
    this.#promised.set(meter, at);
  }

  #bucketsOf(meter: Way): readonly Bucket[] {
    return waysOf(meter).map(([kind, name]) => {
      const key = `${kind} ${name}`;
      const bucket = this.#buckets.get(key) ?? new Bucket(this.#limits[kind], this.#workers);
      this.#buckets.set(key, bucket);
      return bucket;
    });
  }
}

/** What is to be known of a meter to tell what it shares with others. */
export type Way = Pick<Meter, "id" | "transformer" | "route">;

/** What a meter shares with others, as far as it is known: a concentrator or gateway, its transformer's area, its kind of network. */
function waysOf({ transformer, route }: Way): readonly (readonly [WayKind, string])[] {
  const shared =
    route?.kind === "concentrator"
      ? route.concentrator
      : route?.kind !== "dial-in" && route?.gateway !== undefined
        ? `${route.host}:${route.port}`
        : undefined;
  return [
    ...(shared === undefined ? [] : ([["concentrator", shared]] as const)),
    ...(transformer === undefined ? [] : ([["cell", transformer]] as const)),
    ["network", route?.network ?? "unknown"],
  ];
}

/** One rate. The bucket is kept as the time at which it will be full again (GCRA). */
class Bucket {
  readonly #limit: WayLimit;
  /** Its worker's part of the highest rate. */
  #highest: number;
  rate: number;
  #fullAt = Number.NEGATIVE_INFINITY;
  #answered = 0;
  #silent = 0;

  constructor(limit: WayLimit, workers: number) {
    this.#limit = limit;
    this.#highest = limit.highest / workers;
    this.rate = this.#highest;
  }

  get isSlowed(): boolean {
    return this.rate < this.#highest;
  }

  /** One that was at its highest stays there; one that was slowed down finds its way from where it is. */
  shareWith(workers: number): void {
    const highest = this.#limit.highest / workers;
    this.rate = this.isSlowed ? Math.min(this.rate, highest) : highest;
    this.#highest = highest;
  }

  /** When the next token is there. */
  free(now: number): number {
    // A slow rate has no burst to save: what does not answer is probed, not stormed.
    const burst = Math.max(1, Math.min(this.#limit.burst, this.rate));
    return Math.max(now, this.#fullAt - (burst - 1) * (1000 / this.rate));
  }

  /** Takes the next token, now or when it will be there. */
  take(now: number): void {
    this.#fullAt = Math.max(now, this.#fullAt) + 1000 / this.rate;
  }

  learn(outcome: WayOutcome): void {
    const { lowest, step } = this.#limit;
    if (outcome === "answered") {
      this.#answered += 1;
      this.rate = Math.min(this.#highest, this.rate + step / Math.max(1, this.rate));
    } else this.#silent += 1;
    const samples = this.#answered + this.#silent;
    if (samples < SAMPLES) return;
    if (this.#silent > samples * SILENT_SHARE) {
      this.rate = Math.max(lowest, this.rate / 2);
      this.#answered = this.#silent = 0;
    } else {
      this.#answered /= 2;
      this.#silent /= 2;
    }
  }
}
