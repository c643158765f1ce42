/** Times as people read them. The wire has RFC 3339 in UTC; the page shows the zone of the reader's machine, or the one it is given. */

const formatters = (timeZone: string | undefined) => {
  const zone = timeZone === undefined ? {} : { timeZone };
  return {
    clock: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", ...zone }),
    seconds: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", ...zone }),
    year: new Intl.DateTimeFormat("en-GB", { year: "numeric", ...zone }),
    day: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", ...zone }),
    weekday: new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", ...zone }),
    full: new Intl.DateTimeFormat("en-GB", {
      day: "numeric",
      month: "short",
      year: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      timeZoneName: "short",
      ...zone,
    }),
  };
};

export interface TimeFormat {
  /** `14:30` */
  clock(time: Instant): string;
  /** `14:30:07` */
  seconds(time: Instant): string;
  /** `21 Nov` */
  day(time: Instant): string;
  /** `Sat 21 Nov` */
  weekday(time: Instant): string;
  /** `21 Nov` in the year of `now`, else `21 Nov 2027` */
  date(time: Instant, now: Instant): string;
  /** `14:30` on the day of `now`, else `21 Nov 14:30`, and in another year `21 Nov 2027 14:30` */
  near(time: Instant, now: Instant): string;
  /** `21 Nov 2026, 14:30:07 UTC` */
  full(time: Instant): string;
}

/** RFC 3339 text or milliseconds since 1970. */
export type Instant = string | number;

export function milliseconds(time: Instant): number {
  return typeof time === "number" ? time : Date.parse(time);
}

/** Makes the format of a time zone; without one, of the reader's machine. A text that is no time is shown as it is. */
export function timeFormat(timeZone?: string): TimeFormat {
  const { clock, seconds, year, day, weekday, full } = formatters(timeZone);
  const safely = (time: Instant, format: Intl.DateTimeFormat) => {
    const at = milliseconds(time);
    return Number.isNaN(at) ? String(time) : format.format(at);
  };
  const date = (time: Instant, now: Instant) =>
    safely(time, year) === safely(now, year) || Number.isNaN(milliseconds(time))
      ? safely(time, day)
      : `${safely(time, day)} ${safely(time, year)}`;
  return {
    clock: (time) => safely(time, clock),
    seconds: (time) => safely(time, seconds),
    day: (time) => safely(time, day),
    weekday: (time) => safely(time, weekday),
    date,
    near: (time, now) =>
      date(time, now) === date(now, now) ? safely(time, clock) : `${date(time, now)} ${safely(time, clock)}`,
    full: (time) => safely(time, full),
  };
}

/** How long something took: `420 ms`, `3.2 s`, `4 min 10 s`, `2 h 5 min`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  const wholeSeconds = Math.round(durationMs / 1000);
  if (wholeSeconds < 60) return `${(durationMs / 1000).toFixed(1)} s`;
  const minutes = Math.floor(wholeSeconds / 60);
  if (minutes < 60) return `${minutes} min ${wholeSeconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
