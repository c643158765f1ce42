import { toHex } from "../bytes.ts";
import type { Infer } from "../codec/codec.ts";
import { ActivityCalendar } from "../cosem/classes/activity-calendar.ts";
import type { SpecialDaysTable } from "../cosem/classes/special-days-table.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { ScriptReference } from "../cosem/structures.ts";
import { type DateTime, dateTime } from "../data/date-time.ts";
import { localInYear, matchesDate, weekdayOf } from "./calendar-pattern.ts";

type Attributes = typeof ActivityCalendar.attributes;

/** One calendar, active or passive (Blue Book 4.5.5). */
export interface CalendarTables {
  readonly calendarName: Uint8Array;
  readonly seasonProfile: Infer<Attributes["seasonProfileActive"]["codec"]>;
  readonly weekProfileTable: Infer<Attributes["weekProfileTableActive"]["codec"]>;
  readonly dayProfileTable: Infer<Attributes["dayProfileTableActive"]["codec"]>;
}

/** Days that have a day profile of their own (class 11). */
export type SpecialDays = Infer<typeof SpecialDaysTable.attributes.entries.codec>;

const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;

/** What a calendar is put together from. */
export interface CalendarParts {
  readonly active: CalendarTables;
  readonly passive: CalendarTables;
  readonly specialDays: () => SpecialDays;
  readonly run: (script: ScriptReference) => void;
  /** The meter's local time of an instant. */
  readonly localTime: (instant: number) => DateTime;
  readonly instantOf: (time: DateTime) => number | undefined;
}

/**
 * An activity calendar (class 20): what runs at which time of day, by season, weekday and special day.
 *
 * State: two calendars, one active and one passive, which change places by method or at the activation time; and what
 * of the day profile ran last. When a day profile takes over, what is in force at that time runs, so that a meter that was
 * off catches up with the last action that it missed.
 */
export class TariffCalendar {
  readonly #parts: CalendarParts;
  #active: CalendarTables;
  #passive: CalendarTables;
  #activation: DateTime = dateTime({});
  #ran: string | undefined;

  constructor(parts: CalendarParts) {
    this.#parts = parts;
    this.#active = parts.active;
    this.#passive = parts.passive;
  }

  get active(): CalendarTables {
    return this.#active;
  }

  get passive(): CalendarTables {
    return this.#passive;
  }

  /** Only the passive calendar can be written. */
  set passive(tables: CalendarTables) {
    this.#passive = tables;
  }

  get activation(): DateTime {
    return this.#activation;
  }

  set activation(time: DateTime) {
    this.#activation = time;
  }

  /** activate_passive_calendar: what was active becomes passive. */
  activate(): void {
    const active = this.#active;
    this.#active = this.#passive;
    this.#passive = active;
    this.#activation = dateTime({});
    this.#ran = undefined;
  }

  /** Lets time pass, in milliseconds since 1970 UTC. */
  tick(instant: number): void {
    const activation = this.#parts.instantOf(this.#activation);
    if (activation !== undefined && instant >= activation) this.activate();
    const local = this.#parts.localTime(instant);
    const due = this.dueAt(local);
    if (due === undefined) return;
    const key = `${due.scriptLogicalName} ${due.scriptSelector} ${due.startSecond} ${local.year}-${local.month}-${local.dayOfMonth}`;
    if (key === this.#ran) return;
    this.#ran = key;
    this.#parts.run(due);
  }

  /** The action of the day profile that is in force at a local time. */
  dueAt(local: DateTime): (ScriptReference & { readonly startSecond: number }) | undefined {
    const day = this.#active.dayProfileTable.find(({ dayId }) => dayId === this.dayIdAt(local));
    const now = secondOfDay(local);
    return day?.daySchedule
      .map(({ startTime, scriptLogicalName, scriptSelector }) => ({
        startSecond: secondOfDay(startTime),
        scriptLogicalName,
        scriptSelector,
      }))
      .filter(({ startSecond }) => startSecond <= now)
      .reduce<(ScriptReference & { readonly startSecond: number }) | undefined>(
        (latest, one) => (latest === undefined || one.startSecond >= latest.startSecond ? one : latest),
        undefined,
      );
  }

  /** The day profile of a day: that of a special day, else that of its weekday in its season. */
  dayIdAt(local: DateTime): number | undefined {
    const special = this.#parts.specialDays().find(({ specialDayDate }) => matchesDate(specialDayDate, local));
    if (special !== undefined) return special.dayId;
    const season = this.#seasonAt(local);
    const { year, month, dayOfMonth } = local;
    if (season === undefined || year === undefined || month === undefined || dayOfMonth === undefined) return undefined;
    const name = toHex(season.weekName);
    const week = this.#active.weekProfileTable.find(({ weekProfileName }) => toHex(weekProfileName) === name);
    return week?.[WEEKDAYS[weekdayOf(year, month, dayOfMonth) - 1] as (typeof WEEKDAYS)[number]];
  }

  /** The season that began last; one that begins each year may have begun in the year before. */
  #seasonAt(local: DateTime): CalendarTables["seasonProfile"][number] | undefined {
    const { year, month, dayOfMonth } = local;
    if (year === undefined || month === undefined || dayOfMonth === undefined) return undefined;
    const now = Date.UTC(year, month - 1, dayOfMonth) + secondOfDay(local) * 1000;
    let begun: { readonly at: number; readonly season: CalendarTables["seasonProfile"][number] } | undefined;
    for (const season of this.#active.seasonProfile) {
      const years = season.seasonStart.year === undefined ? [year, year - 1] : [season.seasonStart.year];
      const starts = years.map((one) => localInYear(season.seasonStart, one) ?? Number.NEGATIVE_INFINITY);
      const at = Math.max(...starts.filter((start) => start <= now), Number.NEGATIVE_INFINITY);
      if (at > (begun?.at ?? Number.NEGATIVE_INFINITY)) begun = { at, season };
    }
    // A single season without a start holds all year.
    const [only] = this.#active.seasonProfile;
    return (
      begun?.season ??
      (this.#active.seasonProfile.length === 1 && only?.seasonStart.month === undefined ? only : undefined)
    );
  }
}

function secondOfDay(time: Pick<DateTime, "hour" | "minute" | "second">): number {
  return ((time.hour ?? 0) * 60 + (time.minute ?? 0)) * 60 + (time.second ?? 0);
}

/** Serves class 20 from a calendar of the meter. */
export function serveActivityCalendar<State>(
  calendarOf: (state: State, context: ServeContext) => TariffCalendar,
): ServedClass<State> {
  const change = (part: Partial<CalendarTables>, state: State, context: ServeContext): void => {
    const calendar = calendarOf(state, context);
    calendar.passive = { ...calendar.passive, ...part };
  };
  return ActivityCalendar.serve<State>({
    get: {
      calendarNameActive: (state, context) => calendarOf(state, context).active.calendarName,
      seasonProfileActive: (state, context) => calendarOf(state, context).active.seasonProfile,
      weekProfileTableActive: (state, context) => calendarOf(state, context).active.weekProfileTable,
      dayProfileTableActive: (state, context) => calendarOf(state, context).active.dayProfileTable,
      calendarNamePassive: (state, context) => calendarOf(state, context).passive.calendarName,
      seasonProfilePassive: (state, context) => calendarOf(state, context).passive.seasonProfile,
      weekProfileTablePassive: (state, context) => calendarOf(state, context).passive.weekProfileTable,
      dayProfileTablePassive: (state, context) => calendarOf(state, context).passive.dayProfileTable,
      activatePassiveCalendarTime: (state, context) => calendarOf(state, context).activation,
    },
    set: {
      calendarNamePassive: (calendarName, state, context) =>
        change({ calendarName: calendarName.slice() }, state, context),
      seasonProfilePassive: (seasonProfile, state, context) => change({ seasonProfile }, state, context),
      weekProfileTablePassive: (weekProfileTable, state, context) => change({ weekProfileTable }, state, context),
      dayProfileTablePassive: (dayProfileTable, state, context) => change({ dayProfileTable }, state, context),
      activatePassiveCalendarTime: (time, state, context) => {
        calendarOf(state, context).activation = time;
      },
    },
    call: { activatePassiveCalendar: (_, state, context) => calendarOf(state, context).activate() },
  });
}
