import { Reader } from "../codec/reader.ts";
import { CLOCK_STATUS, type DateTime, dateTimeOctets, instantOf } from "../data/date-time.ts";

const DATE_TIME_BYTES = 12;
/** Before this no meter of today's kind was made: a clock that says so has lost its time. */
const EARLIEST_YEAR = 2010;

/** Octets that are a date-time by length and by sense: 12 octets with a day that exists; undefined otherwise. */
export function readDateTime(octets: Uint8Array): DateTime | undefined {
  if (octets.length !== DATE_TIME_BYTES) return undefined;
  const value = dateTimeOctets.decode(new Reader(octets));
  return localInstant(value) === undefined ? undefined : value;
}

/** `2021-09-27T09:47:15`: the meter's local time; undefined where a field is missing. */
export function localText(value: DateTime): string | undefined {
  const instant = localInstant(value);
  return instant === undefined ? undefined : new Date(instant).toISOString().slice(0, 19);
}

/** Local time with its offset to UTC where the meter tells it: `2021-09-27T09:47:15+02:00`. */
export function timeText(value: DateTime): string | undefined {
  const local = localText(value);
  if (local === undefined || value.deviation === undefined) return local;
  const minutes = -value.deviation;
  const absolute = Math.abs(minutes);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${local}${minutes < 0 ? "-" : "+"}${two(Math.floor(absolute / 60))}:${two(absolute % 60)}`;
}

/** What a clock itself says against its time, as a sentence without a subject; undefined when it says nothing. */
export function doubtOf(value: DateTime): string | undefined {
  const status = value.status ?? 0;
  if (value.year !== undefined && value.year < EARLIEST_YEAR) return `says ${value.year}: it has lost its time`;
  if ((status & CLOCK_STATUS.invalidValue) !== 0) return "says that its time is invalid";
  if ((status & CLOCK_STATUS.doubtfulValue) !== 0) return "says that its time is doubtful";
  if ((status & CLOCK_STATUS.invalidClockStatus) !== 0) return "says that its status is invalid";
  return undefined;
}

/** Milliseconds between two clocks; local times where one of them does not tell its offset. */
export function distance(one: DateTime, other: DateTime): number | undefined {
  const bothKnown = one.deviation !== undefined && other.deviation !== undefined;
  const a = bothKnown ? instantOf(one) : localInstant(one);
  const b = bothKnown ? instantOf(other) : localInstant(other);
  return a === undefined || b === undefined ? undefined : Math.abs(a - b);
}

/** The moment that a clock in UTC would show the same figures at; what `Date` prints of it is the local time. */
function localInstant(value: DateTime): number | undefined {
  const whole = { ...value, deviation: 0, hundredths: undefined };
  // A clock set to "not specified" hundredths or with a stray value there still tells the time.
  return instantOf(whole);
}
