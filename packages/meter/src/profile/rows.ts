import { CLOCK_STATUS, DATA_TAGS, dateTimeAt, dateTimeOctets, type ProfileRows, type Writer } from "@meterkeep/dlms";
import type { LoggedEvent } from "../nvm/memory.ts";
import {
  INTERVAL_SECONDS,
  intervalAt,
  isSummerTime,
  localMidnight,
  STANDARD_OFFSET_SECONDS,
  shiftLocalDays,
  type UnixSeconds,
} from "../time/calendar.ts";
import type { Column, CompanionProfile } from "./companion-profile.ts";
import { type Measuring, QUANTITIES, wireValue } from "./quantity.ts";

/** What rows of a profile are computed from. */
export interface ProfileOwner extends Measuring {
  /** The quarter hour in which the meter was first powered. */
  readonly firstInterval: number;
  now(): UnixSeconds;
}

/** Writes one cell as Data. */
export type CellWriter = (writer: Writer, meter: ProfileOwner, at: UnixSeconds) => void;

const DAY_SECONDS = 86_400;
const STATUS_SUMMER_TIME = 0x08;
const STATUS_POWER_UP = 0x80;

/** Minutes from local time to UTC, as the profile's clock counts. */
export function deviationMinutes(profile: Pick<CompanionProfile, "summerTime">, at: UnixSeconds): number {
  return -(STANDARD_OFFSET_SECONDS / 60) - (profile.summerTime && isSummerTime(at) ? 60 : 0);
}

/** Writes the instant as the profile's clock shows it: octet-string of 12. */
export function writeClock(writer: Writer, profile: Pick<CompanionProfile, "summerTime">, at: UnixSeconds): void {
  writer.unsigned8(DATA_TAGS["octet-string"]);
  writer.length(12);
  dateTimeOctets.encode(writer, clockValue(profile, at));
}

/** The instant as the profile's clock shows it. */
export function clockValue(
  profile: Pick<CompanionProfile, "summerTime">,
  at: UnixSeconds,
): ReturnType<typeof dateTimeAt> {
  const deviation = deviationMinutes(profile, at);
  const summer = deviation !== -(STANDARD_OFFSET_SECONDS / 60);
  return dateTimeAt(at * 1000, deviation, summer ? CLOCK_STATUS.daylightSavingActive : 0);
}

/** The status word of a row captured at the instant. */
export function statusAt(profile: CompanionProfile, meter: ProfileOwner, at: UnixSeconds): number {
  const summer = profile.summerTime && isSummerTime(at) ? STATUS_SUMMER_TIME : 0;
  return summer | (intervalAt(at) - 1 === meter.firstInterval ? STATUS_POWER_UP : 0);
}

/** Compiles a column to the function that writes its cells. */
export function cellWriter(profile: CompanionProfile, column: Column): CellWriter {
  if (column === "clock") return (writer, _, at) => writeClock(writer, profile, at);
  if (column === "status") {
    const wide = profile.status.type === "long-unsigned";
    return (writer, meter, at) => {
      writer.unsigned8(DATA_TAGS[profile.status.type]);
      const status = statusAt(profile, meter, at);
      if (wide) writer.unsigned16(status);
      else writer.unsigned8(status);
    };
  }
  const quantity = QUANTITIES[column];
  const scaler = profile.scalers[quantity.kind];
  const wide = quantity.type === "double-long-unsigned";
  return (writer, meter, at) => {
    writer.unsigned8(DATA_TAGS[quantity.type]);
    const value = wireValue(quantity, meter, at, scaler);
    if (wide) writer.unsigned32(value);
    else writer.unsigned16(value);
  };
}

/** Rows of the load profile: one for each finished quarter hour, as far back as the ring reaches. */
export function loadProfileRows(meter: ProfileOwner, capacity: number, cells: readonly CellWriter[]): ProfileRows {
  return periodicRows(meter, { capacity, periodSeconds: INTERVAL_SECONDS }, cells);
}

/** Rows of a profile that captures at each end of a period since the first quarter hour was over. */
export function periodicRows(
  meter: ProfileOwner,
  { capacity, periodSeconds }: { readonly capacity: number; readonly periodSeconds: number },
  cells: readonly CellWriter[],
): ProfileRows {
  const last = Math.floor(meter.now() / periodSeconds);
  const earliest = Math.ceil(((meter.firstInterval + 1) * INTERVAL_SECONDS) / periodSeconds);
  const first = Math.max(earliest, last - capacity + 1);
  return {
    length: Math.max(0, last - first + 1),
    instant: (row) => (first + row) * periodSeconds * 1000,
    isInOrder: true,
    writeCell: (writer, row, column) => cells[column]?.(writer, meter, (first + row) * periodSeconds),
  };
}

/** Rows of the daily profile: one for each local midnight since the meter was powered. */
export function dailyProfileRows(
  profile: CompanionProfile,
  meter: ProfileOwner,
  cells: readonly CellWriter[],
): ProfileRows {
  const { summerTime, dailyProfile } = profile;
  const start = meter.firstInterval * INTERVAL_SECONDS;
  const newest = summerTime ? localMidnight(meter.now()) : standardMidnight(meter.now());
  const daysBefore = (days: number): UnixSeconds =>
    summerTime ? shiftLocalDays(newest, -days) : newest - days * DAY_SECONDS;
  // A day is not as long as another where summer time changes: the estimate is off by one at most.
  let midnights = Math.max(0, Math.ceil((newest - start) / DAY_SECONDS));
  while (midnights > 0 && daysBefore(midnights - 1) <= start) midnights -= 1;
  while (daysBefore(midnights) > start) midnights += 1;
  const length = Math.min(midnights, dailyProfile.capacity);
  const stamp = (row: number): UnixSeconds => daysBefore(length - 1 - row);
  return {
    length,
    instant: (row) => stamp(row) * 1000,
    isInOrder: true,
    writeCell: (writer, row, column) => cells[column]?.(writer, meter, stamp(row)),
  };
}

function standardMidnight(at: UnixSeconds): UnixSeconds {
  return Math.floor((at + STANDARD_OFFSET_SECONDS) / DAY_SECONDS) * DAY_SECONDS - STANDARD_OFFSET_SECONDS;
}

/** Rows of an event log: clock and code. */
export function eventRows(profile: CompanionProfile, events: readonly LoggedEvent[]): ProfileRows {
  return {
    length: events.length,
    instant: (row) => (events[row]?.at ?? 0) * 1000,
    writeCell: (writer, row, column) => {
      const event = events[row];
      if (event === undefined) return;
      if (column === 0) writeClock(writer, profile, event.at);
      else {
        writer.unsigned8(DATA_TAGS["long-unsigned"]);
        writer.unsigned16(event.code);
      }
    },
  };
}
