/** From how many on alarms of one code are a storm (MC-22), and how much is remembered for it. */
export interface StormLimits {
  readonly perMeterAnHour: number;
  readonly perFleetAMinute: number;
  /** Meters and codes that are counted at a time; beyond, the ones counted longest start anew. */
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

interface Count {
  readonly since: number;
  count: number;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/**
 * Tells storms of alarms from alarms. It decides what is told one by one, never what is stored. Times are the caller's.
 *
 * States of a meter and code, or of a code in the fleet: *quiet*, while fewer than the limit came in the window; *storm*,
 * from the one above the limit on, until a window has gone by.
 */
export class AlarmStorms {
  readonly #limits: StormLimits;
  readonly #counts = new Map<string, Count>();
  readonly #over: Storm[] = [];

  constructor(limits: StormLimits = STORM_LIMITS) {
    this.#limits = limits;
  }

  /** Counts one alarm. What is on the exclusion list counts, too, and is always told of by itself. */
  take(meter: string, { code, always }: { readonly code: string; readonly always: boolean }, at: number): StormVerdict {
    const { perMeterAnHour, perFleetAMinute } = this.#limits;
    const fleet = this.#count(undefined, code, at, MINUTE_MS, perFleetAMinute);
    const own = this.#count(meter, code, at, HOUR_MS, perMeterAnHour);
    if (always) return { kind: "single" };
    const begins = fleet === perFleetAMinute + 1 ? undefined : own === perMeterAnHour + 1 ? meter : false;
    if (begins !== false && (begins === undefined || fleet <= perFleetAMinute)) {
      const count = begins === undefined ? fleet : own;
      return { kind: "begins", storm: { code, meter: begins, since: at, count } };
    }
    return fleet > perFleetAMinute || own > perMeterAnHour ? { kind: "counted" } : { kind: "single" };
  }

  /** Storms that have ended since the last time it was asked, with what they came to. */
  ended(at: number): readonly Storm[] {
    for (const [key, { since, count }] of this.#counts) {
      const [code = "", meter] = key.split(" ");
      const window = meter === undefined ? MINUTE_MS : HOUR_MS;
      if (at - since < window) continue;
      this.#counts.delete(key);
      this.#note(code, meter, since, count);
    }
    return this.#over.splice(0);
  }

  #count(meter: string | undefined, code: string, at: number, window: number, limit: number): number {
    const key = meter === undefined ? code : `${code} ${meter}`;
    const before = this.#counts.get(key);
    if (before !== undefined && at - before.since < window) {
      before.count += 1;
      return before.count;
    }
    if (before !== undefined && before.count > limit) this.#note(code, meter, before.since, before.count);
    this.#counts.delete(key);
    this.#counts.set(key, { since: at, count: 1 });
    if (this.#counts.size > this.#limits.maxCounts) {
      const oldest = this.#counts.keys().next().value;
      if (oldest !== undefined) this.#counts.delete(oldest);
    }
    return 1;
  }

  #note(code: string, meter: string | undefined, since: number, count: number): void {
    const limit = meter === undefined ? this.#limits.perFleetAMinute : this.#limits.perMeterAnHour;
    if (count > limit) this.#over.push({ code, meter, since, count });
  }
}
