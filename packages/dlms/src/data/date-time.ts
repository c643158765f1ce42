import type { Codec } from "../codec/codec.ts";
import type { Reader } from "../codec/reader.ts";
import type { Writer } from "../codec/writer.ts";

// Blue Book 4.1.6.1: every field may be "not specified", which is `undefined` here. Numbers are kept as sent, also
// those that no calendar has, so that a meter with a broken clock can still be read; `instantOf` judges them.

/** A COSEM date: 5 octets. */
export interface CosemDate {
  readonly year: number | undefined;
  /** 1 to 12, or `MONTH.daylightSavingsEnd` or `MONTH.daylightSavingsBegin`. */
  readonly month: number | undefined;
  /** 1 to 31, or `DAY_OF_MONTH.secondLast` or `DAY_OF_MONTH.last`. */
  readonly dayOfMonth: number | undefined;
  /** 1 is Monday. */
  readonly dayOfWeek: number | undefined;
}

/** A COSEM time: 4 octets. */
export interface CosemTime {
  readonly hour: number | undefined;
  readonly minute: number | undefined;
  readonly second: number | undefined;
  readonly hundredths: number | undefined;
}

/** A COSEM date-time: 12 octets. */
export interface DateTime extends CosemDate, CosemTime {
  /** Minutes from local time to UTC: -60 is Central European winter time. */
  readonly deviation: number | undefined;
  /** Bits of `CLOCK_STATUS`. */
  readonly status: number | undefined;
}

export const MONTH = { daylightSavingsEnd: 0xfd, daylightSavingsBegin: 0xfe } as const;
export const DAY_OF_MONTH = { secondLast: 0xfd, last: 0xfe } as const;

/** Bits of the clock status octet. */
export const CLOCK_STATUS = {
  invalidValue: 0x01,
  doubtfulValue: 0x02,
  differentClockBase: 0x04,
  invalidClockStatus: 0x08,
  daylightSavingActive: 0x80,
} as const;

const NOTHING_SPECIFIED: DateTime = {
  year: undefined,
  month: undefined,
  dayOfMonth: undefined,
  dayOfWeek: undefined,
  hour: undefined,
  minute: undefined,
  second: undefined,
  hundredths: undefined,
  deviation: undefined,
  status: undefined,
};

/** A date-time of the fields given; the others are not specified. */
export function dateTime(fields: Partial<DateTime>): DateTime {
  return { ...NOTHING_SPECIFIED, ...fields };
}

/** A date of the fields given; the others are not specified. */
export function cosemDate(fields: Partial<CosemDate>): CosemDate {
  return { year: undefined, month: undefined, dayOfMonth: undefined, dayOfWeek: undefined, ...fields };
}

/** A time of the fields given; the others are not specified. */
export function cosemTime(fields: Partial<CosemTime>): CosemTime {
  return { hour: undefined, minute: undefined, second: undefined, hundredths: undefined, ...fields };
}

/**
 * The moment a date-time stands for, in milliseconds since 1970 UTC, or undefined where it is none: a field is not
 * specified, out of its range, or the day does not exist.
 *
 * Hundredths that are not specified count as 0; a deviation that is not specified is `assumedDeviation` (minutes from
 * local time to UTC), without which the moment is unknown.
 */
export function instantOf(value: DateTime, assumedDeviation?: number): number | undefined {
  const { year, month, dayOfMonth, hour, minute, second } = value;
  const deviation = value.deviation ?? assumedDeviation;
  const hundredths = value.hundredths ?? 0;
  if (year === undefined || month === undefined || dayOfMonth === undefined) return undefined;
  if (hour === undefined || minute === undefined || second === undefined || deviation === undefined) return undefined;
  if (hour > 23 || minute > 59 || second > 59 || hundredths > 99 || Math.abs(deviation) > 840) return undefined;
  const midnight = Date.UTC(year, month - 1, dayOfMonth);
  const day = new Date(midnight);
  if (year < 100 || day.getUTCMonth() !== month - 1 || day.getUTCDate() !== dayOfMonth) return undefined;
  return midnight + ((hour * 60 + minute + deviation) * 60 + second) * 1000 + hundredths * 10;
}

/** The local date-time, hundredths included, of a moment in milliseconds since 1970 UTC. */
export function dateTimeAt(instant: number, deviation = 0, status = 0): DateTime {
  const local = new Date(instant - deviation * 60_000);
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    dayOfMonth: local.getUTCDate(),
    dayOfWeek: local.getUTCDay() === 0 ? 7 : local.getUTCDay(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    hundredths: Math.floor(local.getUTCMilliseconds() / 10),
    deviation,
    status,
  };
}

export const dateOctets: Codec<CosemDate> = {
  shape: { type: "named", name: "date" },
  encode: writeDate,
  decode: (r) => ({
    year: specified16(r),
    month: specified8(r),
    dayOfMonth: specified8(r),
    dayOfWeek: specified8(r),
  }),
};

export const timeOctets: Codec<CosemTime> = {
  shape: { type: "named", name: "time" },
  encode: writeTime,
  decode: (r) => ({
    hour: specified8(r),
    minute: specified8(r),
    second: specified8(r),
    hundredths: specified8(r),
  }),
};

/** The 12 octets of a date-time, without tag or length. */
export const dateTimeOctets: Codec<DateTime> = {
  shape: { type: "named", name: "date-time" },
  encode(w, value) {
    writeDate(w, value);
    writeTime(w, value);
    w.integer16(value.deviation ?? UNSPECIFIED_DEVIATION);
    w.unsigned8(value.status ?? 0xff);
  },
  decode(r) {
    return {
      year: specified16(r),
      month: specified8(r),
      dayOfMonth: specified8(r),
      dayOfWeek: specified8(r),
      hour: specified8(r),
      minute: specified8(r),
      second: specified8(r),
      hundredths: specified8(r),
      deviation: specifiedDeviation(r),
      status: specified8(r),
    };
  },
};

const UNSPECIFIED_DEVIATION = -0x8000;

function writeDate(w: Writer, value: CosemDate): void {
  w.unsigned16(value.year ?? 0xffff);
  w.unsigned8(value.month ?? 0xff);
  w.unsigned8(value.dayOfMonth ?? 0xff);
  w.unsigned8(value.dayOfWeek ?? 0xff);
}

function writeTime(w: Writer, value: CosemTime): void {
  w.unsigned8(value.hour ?? 0xff);
  w.unsigned8(value.minute ?? 0xff);
  w.unsigned8(value.second ?? 0xff);
  w.unsigned8(value.hundredths ?? 0xff);
}

function specified8(r: Reader): number | undefined {
  const value = r.unsigned8();
  return value === 0xff ? undefined : value;
}

function specified16(r: Reader): number | undefined {
  const value = r.unsigned16();
  return value === 0xffff ? undefined : value;
}

function specifiedDeviation(r: Reader): number | undefined {
  const value = r.integer16();
  return value === UNSPECIFIED_DEVIATION ? undefined : value;
}
