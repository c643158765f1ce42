import { Clock } from "../cosem/classes/clock.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import { CLOCK_STATUS, type DateTime, dateTimeAt, instantOf } from "../data/date-time.ts";
import { localInYear } from "./calendar-pattern.ts";

/** How a clock is set up. */
export interface ClockSettings {
  /** Minutes from local standard time to UTC: -60 for Central European Time. */
  readonly timeZone: number;
  readonly daylightSavingsBegin: DateTime;
  readonly daylightSavingsEnd: DateTime;
  /** Minutes by which clocks go forward. Meters write it with either sign. */
  readonly daylightSavingsDeviation: number;
  readonly daylightSavingsEnabled: boolean;
}

/** What a clock is put together from. */
export interface ClockParts {
  /** Milliseconds since 1970 UTC, of the oscillator behind the clock. */
  readonly now: () => number;
  readonly settings: ClockSettings;
  /** Milliseconds that the clock was off the oscillator when it was kept last. */
  readonly offset?: number;
  /** Seconds of a measuring period. */
  readonly measuringPeriodSeconds?: number;
  /** Hears of each adjustment, in milliseconds since 1970 UTC. */
  readonly onAdjusted?: (before: number, after: number) => void;
}

const QUARTER = 900_000;
const MINUTE = 60_000;
/** Seconds that shift_time may be asked for. */
const MOST_SHIFT_SECONDS = 900;

interface Preset {
  readonly time: number;
  readonly from: number;
  readonly to: number;
}

/**
 * A meter's clock (class 8): an oscillator and how far the clock is off it.
 *
 * State: the offset; the settings; the time preset for `adjust_to_preset_time`, used up by it.
 */
export class MeterClock {
  readonly #parts: ClockParts;
  #settings: ClockSettings;
  #offset: number;
  #preset: Preset | undefined;

  constructor(parts: ClockParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    this.#offset = parts.offset ?? 0;
  }

  /** Milliseconds that the clock is off the oscillator. */
  get offset(): number {
    return this.#offset;
  }

  get settings(): ClockSettings {
    return this.#settings;
  }

  set settings(settings: ClockSettings) {
    this.#settings = settings;
  }

  /** Milliseconds since 1970 UTC, as the clock has it. */
  now(): number {
    return this.#parts.now() + this.#offset;
  }

  /** Local date-time with deviation and status. */
  time(instant = this.now()): DateTime {
    const deviation = this.deviationAt(instant);
    const status = this.isSummerTime(instant) ? CLOCK_STATUS.daylightSavingActive : 0;
    return dateTimeAt(instant, deviation, status);
  }

  /** Minutes from local time to UTC at an instant. */
  deviationAt(instant: number): number {
    const { timeZone, daylightSavingsDeviation } = this.#settings;
    return this.isSummerTime(instant) ? timeZone - Math.abs(daylightSavingsDeviation) : timeZone;
  }

  isSummerTime(instant: number): boolean {
    const { timeZone, daylightSavingsBegin, daylightSavingsEnd, daylightSavingsDeviation } = this.#settings;
    if (!this.#settings.daylightSavingsEnabled) return false;
    const year = new Date(instant - timeZone * MINUTE).getUTCFullYear();
    const begin = localInYear(daylightSavingsBegin, daylightSavingsBegin.year ?? year);
    const end = localInYear(daylightSavingsEnd, daylightSavingsEnd.year ?? year);
    if (begin === undefined || end === undefined) return false;
    const from = begin + (daylightSavingsBegin.deviation ?? timeZone) * MINUTE;
    const summer = timeZone - Math.abs(daylightSavingsDeviation);
    const to = end + (daylightSavingsEnd.deviation ?? summer) * MINUTE;
    // South of the equator summer goes over the turn of the year.
    return from < to ? instant >= from && instant < to : instant >= from || instant < to;
  }

  /** Sets the clock to an instant. */
  set(instant: number): void {
    const before = this.now();
    this.#offset += instant - before;
    this.#parts.onAdjusted?.(before, instant);
  }

  /** The instant of a local date-time; undefined where it is none. */
  instantOf(value: DateTime): number | undefined {
    // Its own deviation counts; without one, the one in force then, as far as standard time tells.
    const standard = instantOf(value, this.#settings.timeZone);
    return standard === undefined ? undefined : instantOf(value, this.deviationAt(standard));
  }

  /** adjust_to_quarter, adjust_to_measuring_period and adjust_to_minute: to the nearest one. */
  adjustToNearest(unit: "quarter" | "measuring-period" | "minute"): void {
    const period = this.#parts.measuringPeriodSeconds ?? QUARTER / 1000;
    const step = unit === "quarter" ? QUARTER : unit === "minute" ? MINUTE : period * 1000;
    this.set(Math.round(this.now() / step) * step);
  }

  /** preset_adjusting_time. False where a time is none. */
  preset(time: DateTime, from: DateTime, to: DateTime): boolean {
    const instants = [time, from, to].map((value) => this.instantOf(value));
    const [at, start, end] = instants;
    if (at === undefined || start === undefined || end === undefined) return false;
    this.#preset = { time: at, from: start, to: end };
    return true;
  }

  /** adjust_to_preset_time. False outside the validity interval. */
  adjustToPreset(): boolean {
    const preset = this.#preset;
    const now = this.now();
    if (preset === undefined || now < preset.from || now > preset.to) return false;
    this.#preset = undefined;
    this.set(preset.time);
    return true;
  }

  /** shift_time, in seconds. False beyond 900. */
  shift(seconds: number): boolean {
    if (Math.abs(seconds) > MOST_SHIFT_SECONDS) return false;
    this.set(this.now() + seconds * 1000);
    return true;
  }
}

/** Serves class 8 from the clock of a meter. */
export function serveClock<State>(clockOf: (state: State, context: ServeContext) => MeterClock): ServedClass<State> {
  const change = (part: Partial<ClockSettings>, state: State, context: ServeContext): void => {
    const clock = clockOf(state, context);
    clock.settings = { ...clock.settings, ...part };
  };
  return Clock.serve<State>({
    get: {
      time: (state, context) => clockOf(state, context).time(),
      timeZone: (state, context) => clockOf(state, context).settings.timeZone,
      status: (state, context) => clockOf(state, context).time().status ?? 0,
      daylightSavingsBegin: (state, context) => clockOf(state, context).settings.daylightSavingsBegin,
      daylightSavingsEnd: (state, context) => clockOf(state, context).settings.daylightSavingsEnd,
      daylightSavingsDeviation: (state, context) => clockOf(state, context).settings.daylightSavingsDeviation,
      daylightSavingsEnabled: (state, context) => clockOf(state, context).settings.daylightSavingsEnabled,
      clockBase: () => "internalCrystal",
    },
    set: {
      time: (value, state, context) => {
        const clock = clockOf(state, context);
        const instant = clock.instantOf(value);
        if (instant === undefined) return refuse("other-reason");
        clock.set(instant);
        return undefined;
      },
      timeZone: (timeZone, state, context) => change({ timeZone }, state, context),
      daylightSavingsBegin: (value, state, context) => change({ daylightSavingsBegin: value }, state, context),
      daylightSavingsEnd: (value, state, context) => change({ daylightSavingsEnd: value }, state, context),
      daylightSavingsDeviation: (value, state, context) => change({ daylightSavingsDeviation: value }, state, context),
      daylightSavingsEnabled: (value, state, context) => change({ daylightSavingsEnabled: value }, state, context),
    },
    call: {
      adjustToQuarter: (_, state, context) => clockOf(state, context).adjustToNearest("quarter"),
      adjustToMeasuringPeriod: (_, state, context) => clockOf(state, context).adjustToNearest("measuring-period"),
      adjustToMinute: (_, state, context) => clockOf(state, context).adjustToNearest("minute"),
      adjustToPresetTime: (_, state, context) => orRefuse(clockOf(state, context).adjustToPreset()),
      presetAdjustingTime: ({ presetTime, validityIntervalStart, validityIntervalEnd }, state, context) =>
        orRefuse(clockOf(state, context).preset(presetTime, validityIntervalStart, validityIntervalEnd)),
      shiftTime: (seconds, state, context) => orRefuse(clockOf(state, context).shift(seconds)),
    },
  });
}

function orRefuse(done: boolean): AccessRefusal | undefined {
  return done ? undefined : refuse("other-reason");
}
