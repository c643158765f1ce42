import type { Infer } from "../codec/codec.ts";
import { Schedule } from "../cosem/classes/schedule.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { ScriptReference } from "../cosem/structures.ts";
import { hasBit } from "../data/bit-string.ts";
import type { DateTime } from "../data/date-time.ts";
import type { SpecialDays } from "./activity-calendar.ts";
import { matchesDate, weekdayOf } from "./calendar-pattern.ts";

/** One line of a schedule (Blue Book 4.5.3): a script, its time of day, and the days on which it runs. */
export type ScheduleEntry = Infer<typeof Schedule.attributes.entries.codec>[number];

/** Indexes run from 1 to this; a range that begins or ends beyond it means no entry. */
const LAST_INDEX = 9999;
/** A validity window that never closes. */
const ANY_TIME = 0xffff;
/** How far back a missed entry is looked for where its validity window never closes. Days. */
const MOST_DAYS_BACK = 366;
const DAY_MILLISECONDS = 86_400_000;

/** What a schedule is put together from. */
export interface DayScheduleParts {
  readonly entries: readonly ScheduleEntry[];
  /** The days of the special days table (class 11); on them only entries run that name the day in `execSpecialDays`. */
  readonly specialDays: () => SpecialDays;
  readonly run: (script: ScriptReference) => void;
  /** The meter's local time of an instant. */
  readonly localTime: (instant: number) => DateTime;
  /** Up to when it had been looked at before a power failure, in milliseconds since 1970 UTC. */
  readonly until?: number;
}

/**
 * A schedule (class 10): runs scripts at their times of day, on weekdays and special days, between two dates.
 *
 * State: its entries in the order of their indexes, and up to when time has been looked at. Between two looks every entry
 * that was due runs once, in the order of time. After a power failure (`powerUp`) only those run whose validity window is
 * still open.
 */
export class DaySchedule {
  readonly #parts: DayScheduleParts;
  #entries: readonly ScheduleEntry[];
  #until: number | undefined;

  constructor(parts: DayScheduleParts) {
    this.#parts = parts;
    this.#entries = inOrder(parts.entries);
    this.#until = parts.until;
  }

  get entries(): readonly ScheduleEntry[] {
    return this.#entries;
  }

  /** What has to be given to the next one after a power failure. */
  get until(): number | undefined {
    return this.#until;
  }

  /** False where two entries have one index, or an index is out of its range. */
  replace(entries: readonly ScheduleEntry[]): boolean {
    const indexes = new Set(entries.map(({ index }) => index));
    if (indexes.size !== entries.length || entries.some(({ index }) => !isIndex(index))) return false;
    this.#entries = inOrder(entries);
    return true;
  }

  /** insert: takes the place of an entry with the same index. False for an index out of its range. */
  insert(entry: ScheduleEntry): boolean {
    if (!isIndex(entry.index)) return false;
    this.#entries = inOrder([...this.#entries.filter(({ index }) => index !== entry.index), entry]);
    return true;
  }

  /** delete: the entries from one index to another; a range that runs backwards means none. */
  delete(first: number, last: number): void {
    this.#entries = this.#entries.filter(({ index }) => !isWithin(index, first, last));
  }

  /** enable_disable: switches range A off, then range B on. */
  enableDisable(off: readonly [first: number, last: number], on: readonly [first: number, last: number]): void {
    this.#entries = this.#entries.map((entry) => ({
      ...entry,
      enable: isWithin(entry.index, ...on) || (entry.enable && !isWithin(entry.index, ...off)),
    }));
  }

  /** Lets time pass, in milliseconds since 1970 UTC. */
  tick(instant: number): void {
    this.#runDue(instant, () => true);
  }

  /** The power is back: what was missed runs where its validity window, in minutes, is still open. */
  powerUp(instant: number): void {
    this.#runDue(
      instant,
      ({ validityWindow }, lateBy) => validityWindow === ANY_TIME || lateBy <= validityWindow * 60_000,
    );
  }

  #runDue(instant: number, mayStillRun: (entry: ScheduleEntry, lateBy: number) => boolean): void {
    const before = this.#until;
    this.#until = instant;
    if (before === undefined) return;
    const now = asLocal(this.#parts.localTime(instant));
    const from = asLocal(this.#parts.localTime(before));
    // A clock that was put back, or came out of summer time, begins anew where it stands now.
    const after = now < from ? now - 1000 : from;
    const due = this.#entries
      .filter(({ enable }) => enable)
      .flatMap((entry) => {
        const at = this.#lastDue(entry, after, now);
        return at === undefined || !mayStillRun(entry, now - at) ? [] : [{ at, entry }];
      })
      .sort((one, other) => one.at - other.at);
    for (const { entry } of due) this.#parts.run(entry);
  }

  /** When the entry was due last, after `after` and no later than `now`, all in local time. */
  #lastDue(entry: ScheduleEntry, after: number, now: number): number | undefined {
    const today = Math.floor(now / DAY_MILLISECONDS);
    const first = Math.max(Math.floor(after / DAY_MILLISECONDS), today - MOST_DAYS_BACK);
    for (let day = today; day >= first; day -= 1) {
      const midnight = day * DAY_MILLISECONDS;
      if (!this.#runsOn(entry, midnight)) continue;
      const latest = Math.min(now - midnight, DAY_MILLISECONDS - 1);
      const second = lastSecondOf(entry.switchTime, Math.floor(latest / 1000));
      const at = second === undefined ? undefined : midnight + second * 1000;
      if (at !== undefined) return at > after ? at : undefined;
    }
    return undefined;
  }

  #runsOn({ beginDate, endDate, execWeekdays, execSpecialDays }: ScheduleEntry, midnight: number): boolean {
    const date = new Date(midnight);
    const [year, month, dayOfMonth] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
    const day = { year, month, dayOfMonth, dayOfWeek: weekdayOf(year, month, dayOfMonth) };
    if (ordered(beginDate, day) > midnight || ordered(endDate, day) < midnight) return false;
    const special = this.#parts.specialDays().find(({ specialDayDate }) => matchesDate(specialDayDate, day));
    return special === undefined ? hasBit(execWeekdays, day.dayOfWeek - 1) : hasBit(execSpecialDays, special.dayId);
  }
}

function inOrder(entries: readonly ScheduleEntry[]): readonly ScheduleEntry[] {
  return entries.toSorted((one, other) => one.index - other.index);
}

function isIndex(index: number): boolean {
  return index >= 1 && index <= LAST_INDEX;
}

function isWithin(index: number, first: number, last: number): boolean {
  return first <= LAST_INDEX && last <= LAST_INDEX && first <= index && index <= last;
}

/** Local time as if it were Universal Time, in milliseconds. */
function asLocal({ year = 1970, month = 1, dayOfMonth = 1, hour = 0, minute = 0, second = 0 }: DateTime): number {
  return Date.UTC(year, month - 1, dayOfMonth, hour, minute, second);
}

type Date3 = Pick<DateTime, "year" | "month" | "dayOfMonth">;

/** A date that leaves parts open bounds nothing by them: they are those of the day that is compared. */
function ordered(bound: Date3, day: Required<Date3>): number {
  const { year = day.year, month = day.month, dayOfMonth = day.dayOfMonth } = bound;
  return Date.UTC(year ?? 0, (month ?? 1) - 1, dayOfMonth);
}

/** The last second of a day, no later than `latest`, that a time with parts left open means. */
function lastSecondOf(time: Pick<DateTime, "hour" | "minute" | "second">, latest: number): number | undefined {
  for (const hour of downFrom(time.hour, 23))
    for (const minute of downFrom(time.minute, 59))
      for (const second of downFrom(time.second, 59)) {
        const at = (hour * 60 + minute) * 60 + second;
        if (at <= latest) return at;
      }
  return undefined;
}

function downFrom(fixed: number | undefined, most: number): readonly number[] {
  return fixed === undefined ? Array.from({ length: most + 1 }, (_, index) => most - index) : [fixed];
}

/** Serves class 10 from a schedule of the meter. */
export function serveSchedule<State>(
  scheduleOf: (state: State, context: ServeContext) => DaySchedule,
): ServedClass<State> {
  return Schedule.serve<State>({
    get: { entries: (state, context) => scheduleOf(state, context).entries },
    set: {
      entries: (entries, state, context) =>
        scheduleOf(state, context).replace(entries.map(owned)) ? undefined : refuse("other-reason"),
    },
    call: {
      enableDisable: ({ firstIndexA, lastIndexA, firstIndexB, lastIndexB }, state, context) =>
        scheduleOf(state, context).enableDisable([firstIndexA, lastIndexA], [firstIndexB, lastIndexB]),
      insert: (entry, state, context) =>
        scheduleOf(state, context).insert(owned(entry)) ? undefined : refuse("other-reason"),
      delete: ({ firstIndex, lastIndex }, state, context) => scheduleOf(state, context).delete(firstIndex, lastIndex),
    },
  });
}

/** An entry that outlives the request it came in. */
function owned(entry: ScheduleEntry): ScheduleEntry {
  const { execWeekdays, execSpecialDays } = entry;
  return {
    ...entry,
    execWeekdays: { ...execWeekdays, bytes: execWeekdays.bytes.slice() },
    execSpecialDays: { ...execSpecialDays, bytes: execSpecialDays.bytes.slice() },
  };
}
