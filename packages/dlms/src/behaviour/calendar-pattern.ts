import { type CosemDate, type CosemTime, DAY_OF_MONTH, type DateTime } from "../data/date-time.ts";

// Dates and times with parts left open (Blue Book 4.1.6.1): "the last Sunday of March", "each day at 06:00".

const DAY_MILLISECONDS = 86_400_000;

/** Whether the day is one that the pattern means. */
export function matchesDate(pattern: CosemDate, day: CosemDate): boolean {
  const { year, month, dayOfMonth, dayOfWeek } = day;
  if (year === undefined || month === undefined || dayOfMonth === undefined) return false;
  if (pattern.year !== undefined && pattern.year !== year) return false;
  if (pattern.month !== undefined && pattern.month <= 12 && pattern.month !== month) return false;
  if (pattern.dayOfMonth === undefined)
    return pattern.dayOfWeek === undefined || pattern.dayOfWeek === (dayOfWeek ?? weekdayOf(year, month, dayOfMonth));
  return dayOf(pattern, year, month) === dayOfMonth;
}

/** Whether the time is the one that the pattern means, to the second; what is not specified fits. */
export function matchesTime(pattern: CosemTime, time: CosemTime): boolean {
  return fits(pattern.hour, time.hour) && fits(pattern.minute, time.minute) && fits(pattern.second, time.second);
}

function fits(pattern: number | undefined, value: number | undefined): boolean {
  return pattern === undefined || pattern === value;
}

/** The day of the month that the pattern means in this month. */
export function dayOf(pattern: CosemDate, year: number, month: number): number | undefined {
  const { dayOfMonth, dayOfWeek } = pattern;
  if (dayOfMonth === undefined) return undefined;
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const fromEnd = dayOfMonth === DAY_OF_MONTH.last ? 0 : dayOfMonth === DAY_OF_MONTH.secondLast ? 1 : undefined;
  if (fromEnd === undefined) {
    if (dayOfWeek === undefined) return dayOfMonth;
    // With a weekday it is the first such day on or after the day given.
    return dayOfMonth + ((dayOfWeek - weekdayOf(year, month, dayOfMonth) + 7) % 7);
  }
  if (dayOfWeek === undefined) return last - fromEnd;
  // The last, or the last but one, such weekday of the month.
  return last - ((weekdayOf(year, month, last) - dayOfWeek + 7) % 7) - 7 * fromEnd;
}

/** 1 Monday to 7 Sunday. */
export function weekdayOf(year: number, month: number, dayOfMonth: number): number {
  const days = Date.UTC(year, month - 1, dayOfMonth) / DAY_MILLISECONDS;
  return ((((days + 3) % 7) + 7) % 7) + 1;
}

/** Local milliseconds, as if local time were UTC, of the pattern's moment in a year; undefined where it leaves the day open. */
export function localInYear(pattern: DateTime, year: number): number | undefined {
  const { month } = pattern;
  if (month === undefined || month > 12) return undefined;
  const day = dayOf(pattern, year, month);
  if (day === undefined) return undefined;
  return Date.UTC(year, month - 1, day, pattern.hour ?? 0, pattern.minute ?? 0, pattern.second ?? 0);
}

/** Whether a local time lies in one of the windows; each from its start to its end, wildcards repeating it; none means always. */
export function inWindows(
  windows: readonly { readonly startTime: DateTime; readonly endTime: DateTime }[],
  local: DateTime,
): boolean {
  if (windows.length === 0) return true;
  return windows.some(({ startTime, endTime }) => {
    const now = ordered(local, local);
    return ordered(startTime, local) <= now && now < ordered(endTime, local);
  });
}

/** A number that orders times, with what the pattern leaves open taken from the time that is compared. */
function ordered(pattern: DateTime, local: DateTime): number {
  const part = (name: "year" | "month" | "dayOfMonth" | "hour" | "minute" | "second") =>
    pattern[name] ?? local[name] ?? 0;
  return Date.UTC(part("year"), part("month") - 1, part("dayOfMonth"), part("hour"), part("minute"), part("second"));
}
