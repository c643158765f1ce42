import { identifierText } from "./identity.ts";
import type { Reading } from "./reading.ts";

const CLOCK = /^0-\d+:1\.0\.0$/;
/** Device and equipment identifiers, of the meter or of what is on its M-Bus. */
const IDENTIFIER = /^\d+-\d+:(?:96\.1\.\d+|42\.0\.0)$/;
/** `260304120000W` or `20260304 12:00:00`: how P1 writes a time. */
const P1_TIME = /^(?:\d{12}[SW]?|\d{8} \d{2}:\d{2}:\d{2})$/;

/**
 * A reading's value for people. P1 sends clocks as digits and identifiers as the hex digits of their characters; the
 * value itself stays as it was sent, for those who compare it.
 */
export function shownValue(reading: Reading): Reading["value"] {
  const { obis, value, time } = reading;
  if (typeof value !== "string") return value;
  if (time !== null && CLOCK.test(obis) && P1_TIME.test(value)) return shownTime(reading);
  return IDENTIFIER.test(obis) ? identifierText(value) : value;
}

/** When a reading was captured, for people: `2026-03-04T12:00:00 winter` where the meter says so much; empty where it says nothing. */
export function shownTime({ time, season }: Pick<Reading, "time" | "season">): string {
  if (time === null) return "";
  return season === undefined ? time : `${time} ${season}`;
}
