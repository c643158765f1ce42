/** From how many on alarms of one code are a storm (MC-22), and how much is remembered for it. */
export interface StormLimits {
  readonly perMeterAnHour: number;
  readonly perFleetAMinute: number;
  /** Meters and codes that are counted at a time; beyond, the ones counted longest end. */
  readonly maxCounts: number;
}

export const STORM_LIMITS: StormLimits = { perMeterAnHour: 20, perFleetAMinute: 500, maxCounts: 100_000 };

/** Who is in a storm: one meter, or the fleet. */
export interface Storm {
  readonly code: string;
  /** Undefined: the fleet. */
  readonly meter: string | undefined;
  readonly since: number;
  /** Alarms of it so far. */
  readonly count: number;
}

/** What is to be done about one alarm. */
export type StormVerdict =
  /** It is told of by itself. */
  | { readonly kind: "single" }
  /** It is the one with which a storm begins: the storm is told of. */
  | { readonly kind: "begins"; readonly storm: Storm }
  /** It is counted in its storm. */
  | { readonly kind: "counted" };

/** One meter, or sender, and code; or a code in the fleet. */
interface Count {
  readonly code: string;
  readonly meter: string | undefined;
  readonly since: number;
  count: number;
  /** Its storm has been told of. */
  isTold: boolean;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Codes that are counted for the fleet at a time: there are a few hundred. */
const MOST_CODES = 4_096;

/**
 * Tells storms of alarms from alarms, and of anything else that comes by code. It decides what is told one by one, never what
 * is stored. Times are the caller's.
 *
 * States of a meter and code, or of a code in the fleet: *quiet*, while fewer than the limit came in the window; *storm*,
 * from the one above the limit on, until a window has gone by. No storm goes untold: one that began inside a storm of the fleet
 * is told of when that has ended.
 */
export class AlarmStorms {
  readonly #limits: StormLimits;
  /** Apart: a city of meters must not push out the count of the city. */
  readonly #fleet = new Map<string, Count>();
  readonly #own = new Map<string, Count>();
  readonly #over: Storm[] = [];

  constructor(limits: StormLimits = STORM_LIMITS) {
    this.#limits = limits;
  }

  /** Counts one alarm. What is on the exclusion list counts, too, and is always told of by itself. */
  take(meter: string, { code, always }: { readonly code: string; readonly always: boolean }, at: number): StormVerdict {
    const { maxCounts } = this.#limits;
    const fleet = this.#counted(this.#fleet, MOST_CODES, { code, meter: undefined }, at);
    const own = this.#counted(this.#own, maxCounts, { code, meter }, at);
    if (always) return { kind: "single" };
    const storm = [fleet, own].find((one) => this.#isStorm(one));
    if (storm === undefined) return { kind: "single" };
    if (storm.isTold) return { kind: "counted" };
    storm.isTold = true;
    return { kind: "begins", storm: storyOf(storm) };
  }

  /** Storms that have ended since the last time it was asked, with what they came to. */
  ended(at: number): readonly Storm[] {
    for (const counts of [this.#fleet, this.#own])
      for (const [key, count] of counts) if (at - count.since >= windowOf(count)) this.#end(counts, key, count);
    return this.#over.splice(0);
  }

  #counted(counts: Map<string, Count>, most: number, one: Pick<Count, "code" | "meter">, at: number): Count {
    const key = `${one.code} ${one.meter ?? ""}`;
    const before = counts.get(key);
    if (before !== undefined && at - before.since < windowOf(before)) {
      before.count += 1;
      return before;
    }
    if (before !== undefined) this.#end(counts, key, before);
    const fresh = { ...one, since: at, count: 1, isTold: false };
    counts.set(key, fresh);
    const [oldest] = counts.size > most ? counts : [];
    if (oldest !== undefined) this.#end(counts, ...oldest);
    return fresh;
  }

  #end(counts: Map<string, Count>, key: string, count: Count): void {
    counts.delete(key);
    if (this.#isStorm(count)) this.#over.push(storyOf(count));
  }

  #isStorm({ meter, count }: Count): boolean {
    const { perMeterAnHour, perFleetAMinute } = this.#limits;
    return count > (meter === undefined ? perFleetAMinute : perMeterAnHour);
  }
}

function windowOf({ meter }: Pick<Count, "meter">): number {
  return meter === undefined ? MINUTE_MS : HOUR_MS;
}

function storyOf({ code, meter, since, count }: Count): Storm {
  return { code, meter, since, count };
}
