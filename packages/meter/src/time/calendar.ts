/** Instants are Unix seconds (UTC), as plain numbers: a meter computes with thousands of them. */
export type UnixSeconds = number;

/** Length of a load-profile interval. */
export const INTERVAL_SECONDS = 900;
/** Intervals in a day. */
export const SLOTS_A_DAY = 96;
const DAY_SECONDS = 86_400;
/** The town lives in central Europe: its standard time is an hour ahead of UTC. */
export const STANDARD_OFFSET_SECONDS = 3_600;

/** Number of the interval that contains the instant; the interval starts at `number * 900`. */
export function intervalAt(at: UnixSeconds): number {
  return Math.floor(at / INTERVAL_SECONDS);
}

/** Number of the day in standard time (no summer time), in which load is computed. */
export function dayOfInterval(interval: number): number {
  return Math.floor((interval + STANDARD_OFFSET_SECONDS / INTERVAL_SECONDS) / SLOTS_A_DAY);
}

/** First interval of a day. */
export function firstIntervalOf(day: number): number {
  return day * SLOTS_A_DAY - STANDARD_OFFSET_SECONDS / INTERVAL_SECONDS;
}

/** 0 Monday to 6 Sunday. Day 0 of the Unix calendar was a Thursday. */
export function weekdayOf(day: number): number {
  return (((day + 3) % 7) + 7) % 7;
}

/** Day of the year from 0, precise enough for seasons. */
export function dayOfYear(day: number): number {
  const date = new Date(day * DAY_SECONDS * 1000);
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / (DAY_SECONDS * 1000));
}

const MARCH = 2;
const OCTOBER = 9;

function lastSundayAtOne(year: number, month: number): UnixSeconds {
  const last = new Date(Date.UTC(year, month + 1, 0, 1));
  return last.getTime() / 1000 - last.getUTCDay() * DAY_SECONDS;
}

/** Whether European summer time holds: from the last Sunday of March to that of October, changing at 01:00 UTC. */
export function isSummerTime(at: UnixSeconds): boolean {
  const date = new Date(at * 1000);
  const month = date.getUTCMonth();
  if (month !== MARCH && month !== OCTOBER) return month > MARCH && month < OCTOBER;
  const year = date.getUTCFullYear();
  return at >= lastSundayAtOne(year, MARCH) && at < lastSundayAtOne(year, OCTOBER);
}

/** Seconds that local civil time is ahead of UTC. */
export function localOffsetSeconds(at: UnixSeconds): number {
  return STANDARD_OFFSET_SECONDS + (isSummerTime(at) ? 3_600 : 0);
}

/** The last local midnight at or before the instant. */
export function localMidnight(at: UnixSeconds): UnixSeconds {
  const offset = localOffsetSeconds(at);
  const midnight = Math.floor((at + offset) / DAY_SECONDS) * DAY_SECONDS - offset;
  // On the two days of the change midnight lay under the other offset.
  return midnight + offset - localOffsetSeconds(midnight);
}

/** The local midnight before a local midnight, or after it with `days` of +1; safe over the changes of summer time. */
export function shiftLocalDays(midnight: UnixSeconds, days: number): UnixSeconds {
  return localMidnight(midnight + days * DAY_SECONDS + DAY_SECONDS / 2);
}
