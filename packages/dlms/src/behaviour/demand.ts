import { DemandRegister } from "../cosem/classes/demand-register.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { ScalerUnit } from "../cosem/structures.ts";
import type { DateTime } from "../data/date-time.ts";
import { type Data, NULL_DATA } from "../data/value.ts";

/** How a demand is averaged. */
export interface DemandSettings {
  /** Between two values of the last average. Seconds. */
  readonly periodSeconds: number;
  /** Periods that the average slides over; 1 for block demand. */
  readonly numberOfPeriods: number;
}

/** What a demand is put together from. */
export interface DemandParts {
  readonly settings: DemandSettings;
  /** Of the averages: what is counted is this unit times seconds, for W that is J. */
  readonly scalerUnit: ScalerUnit;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** The meter's local time of an instant. */
  readonly localTime: (instant: number) => DateTime;
  /** Writes an average in the type of the register; double-long-unsigned unless given. */
  readonly asData?: (average: number) => Data;
  /** The status of the last average; none unless given. */
  readonly status?: () => Data;
}

/**
 * The demand of a demand register (class 5, Blue Book 4.3.4): an average over a block, or over a window that slides by
 * periods.
 *
 * State: what has been counted in the period that runs and in the `numberOfPeriods - 1` before it, and the average that the
 * last period ended with. Periods end at whole multiples of their length, and by `next_period`.
 */
export class Demand {
  readonly #parts: DemandParts;
  #settings: DemandSettings;
  #current = 0;
  #before: readonly number[] = [];
  #last = 0;
  #startedAt: number;
  #capturedAt: number;

  constructor(parts: DemandParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    this.#startedAt = this.#capturedAt = parts.now();
  }

  get settings(): DemandSettings {
    return this.#settings;
  }

  /** Another period begins everything anew. False for a period, or a count of them, that is 0. */
  change(settings: DemandSettings): boolean {
    if (settings.periodSeconds < 1 || settings.numberOfPeriods < 1) return false;
    this.#settings = settings;
    this.reset();
    return true;
  }

  /** Counts what has flowed since the last call, in unit-seconds. */
  count(amount: number): void {
    this.tick();
    this.#current += amount;
  }

  /** What has been counted, spread over the whole window: it rises until the period ends. */
  get currentAverage(): number {
    return this.#average(this.#current);
  }

  get lastAverage(): number {
    return this.#last;
  }

  /** When the last average was formed. */
  get captureTime(): DateTime {
    return this.#parts.localTime(this.#capturedAt);
  }

  /** When the period that runs began. */
  get startTime(): DateTime {
    return this.#parts.localTime(this.#startedAt);
  }

  /** Ends the periods that are over. */
  tick(): void {
    const period = this.#settings.periodSeconds * 1000;
    const now = this.#parts.now();
    let end = (Math.floor(this.#startedAt / period) + 1) * period;
    // A pause longer than the whole window leaves nothing of it.
    const skipped = Math.floor((now - end) / period) - this.#settings.numberOfPeriods;
    if (skipped > 0) {
      this.#end(end);
      end += skipped * period;
    }
    for (; end <= now; end += period) this.#end(end);
  }

  /** next_period: ends the period that runs as if it were over. */
  nextPeriod(): void {
    this.tick();
    this.#end(this.#parts.now());
  }

  /** reset: both averages begin at nothing, and a period begins now. */
  reset(): void {
    this.#current = 0;
    this.#before = [];
    this.#last = 0;
    this.#startedAt = this.#capturedAt = this.#parts.now();
  }

  #end(at: number): void {
    this.#last = this.#average(this.#current);
    const kept = this.#settings.numberOfPeriods - 1;
    this.#before = kept === 0 ? [] : [...this.#before, this.#current].slice(-kept);
    this.#current = 0;
    this.#startedAt = this.#capturedAt = at;
  }

  #average(current: number): number {
    const { periodSeconds, numberOfPeriods } = this.#settings;
    return this.#before.reduce((sum, one) => sum + one, current) / (periodSeconds * numberOfPeriods);
  }

  /** An average as the register shows it. */
  shown(average: number): Data {
    return this.#parts.asData?.(average) ?? { type: "double-long-unsigned", value: Math.round(average) };
  }

  get scalerUnit(): ScalerUnit {
    return this.#parts.scalerUnit;
  }

  get status(): Data {
    return this.#parts.status?.() ?? NULL_DATA;
  }
}

/** Serves class 5 from a demand of the meter. */
export function serveDemand<State>(demandOf: (state: State, context: ServeContext) => Demand): ServedClass<State> {
  const ticked = (state: State, context: ServeContext): Demand => {
    const demand = demandOf(state, context);
    demand.tick();
    return demand;
  };
  const change = (part: Partial<DemandSettings>, state: State, context: ServeContext) => {
    const demand = demandOf(state, context);
    return demand.change({ ...demand.settings, ...part }) ? undefined : refuse("other-reason");
  };
  return DemandRegister.serve<State>({
    get: {
      currentAverageValue: (state, context) => {
        const demand = ticked(state, context);
        return demand.shown(demand.currentAverage);
      },
      lastAverageValue: (state, context) => {
        const demand = ticked(state, context);
        return demand.shown(demand.lastAverage);
      },
      scalerUnit: (state, context) => demandOf(state, context).scalerUnit,
      status: (state, context) => demandOf(state, context).status,
      captureTime: (state, context) => ticked(state, context).captureTime,
      startTimeCurrent: (state, context) => ticked(state, context).startTime,
      period: (state, context) => demandOf(state, context).settings.periodSeconds,
      numberOfPeriods: (state, context) => demandOf(state, context).settings.numberOfPeriods,
    },
    set: {
      period: (periodSeconds, state, context) => change({ periodSeconds }, state, context),
      numberOfPeriods: (numberOfPeriods, state, context) => change({ numberOfPeriods }, state, context),
    },
    call: {
      reset: (_, state, context) => demandOf(state, context).reset(),
      nextPeriod: (_, state, context) => demandOf(state, context).nextPeriod(),
    },
  });
}
