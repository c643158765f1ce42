import { DAY_MILLISECONDS } from "./day.ts";

/** Local time somewhere. Local times are milliseconds since 1970 as if the clock on the wall there showed UTC. */
export interface TimeZone {
  /** IANA name. */
  readonly name: string;
  /** Minutes from local time to UTC at an instant, as meters have it: -60 is Central European winter time. */
  deviationAt(instant: number): number;
  /**
   * The instant at which the clock on the wall shows a local time. Where it does so twice, the second time unless `isSummer`; where it
   * never does, the one that would be without the change.
   */
  instantAt(local: number, isSummer?: boolean): number;
}

/** @throws RangeError for a name that the time zone database does not have. */
export function timeZone(name: string): TimeZone {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: name,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const deviationAt = (instant: number): number => {
    const whole = Math.floor(instant / 1000) * 1000;
    const part = Object.fromEntries(format.formatToParts(whole).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return (whole - Date.UTC(year, month - 1, day, hour, minute, second)) / 60_000;
  };
  return {
    name,
    deviationAt,
    instantAt(local, isSummer = false) {
      const [before, after] = [deviationAt(local - DAY_MILLISECONDS), deviationAt(local + DAY_MILLISECONDS)];
      const shown = [before, after].filter((one) => deviationAt(local + one * 60_000) === one);
      // Of two, that of summer is the less: it lies further from UTC to the east.
      const deviation = shown.length === 0 ? before : isSummer ? Math.min(...shown) : Math.max(...shown);
      return local + deviation * 60_000;
    },
  };
}

export const UTC: TimeZone = { name: "UTC", deviationAt: () => 0, instantAt: (local) => local };
