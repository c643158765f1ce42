import { toHex } from "../bytes.ts";
import { bitStringText } from "../data/bit-string.ts";
import type { Data } from "../data/value.ts";
import { localText, readDateTime } from "./clock.ts";
import type { RawValue, ReadingValue } from "./reading.ts";
import { float32InDecimal, scaled } from "./scaling.ts";

/** A number of any COSEM type, undefined for everything else. An enumeration is a name, not an amount. */
export function numberOf(value: Data): number | bigint | undefined {
  switch (value.type) {
    case "double-long":
    case "double-long-unsigned":
    case "bcd":
    case "integer":
    case "long":
    case "unsigned":
    case "long-unsigned":
    case "long64":
    case "long64-unsigned":
    case "float64":
    case "delta-integer":
    case "delta-long":
    case "delta-double-long":
    case "delta-unsigned":
    case "delta-long-unsigned":
    case "delta-double-long-unsigned":
      return value.value;
    case "float32":
      return float32InDecimal(value.value);
    default:
      return undefined;
  }
}

/**
 * A value as it is shown without a scaler. Octet strings are a date-time where they are one, text where they are
 * printable, hex otherwise. Undefined for arrays and structures, which hold values and are none.
 */
export function plainValue(value: Data): ReadingValue | undefined {
  const number = numberOf(value);
  if (number !== undefined) return scaled(number, 0);
  switch (value.type) {
    case "null-data":
    case "dont-care":
      return null;
    case "boolean":
    case "enum":
    case "utf8-string":
      return value.value;
    case "visible-string":
      return value.value;
    case "octet-string":
      return octetsAsText(value.value);
    case "bit-string":
      return bitStringText(value.value);
    case "date-time":
      return localText(value.value) ?? null;
    case "date":
      return dateText(value.value);
    case "time":
      return timeOfDayText(value.value);
    default:
      return undefined;
  }
}

/** Octets as text where all are printable ASCII, undefined otherwise; no octets are the empty text. */
export function printableText(octets: Uint8Array): string | undefined {
  let text = "";
  for (const octet of octets) {
    if (octet < 0x20 || octet > 0x7e) return undefined;
    text += String.fromCharCode(octet);
  }
  return text;
}

/** Text of a string value of either kind, undefined for everything else. */
export function textOf(value: Data): string | undefined {
  if (value.type === "visible-string" || value.type === "utf8-string") return value.value;
  return value.type === "octet-string" ? printableText(value.value) : undefined;
}

function octetsAsText(octets: Uint8Array): string {
  const text = printableText(octets);
  if (text !== undefined) return text;
  const time = readDateTime(octets);
  return (time === undefined ? undefined : localText(time)) ?? toHex(octets);
}

/** `2021-03-25`, null where a field is missing. */
export function dateText(date: {
  readonly year: number | undefined;
  readonly month: number | undefined;
  readonly dayOfMonth: number | undefined;
}): string | null {
  const { year, month, dayOfMonth } = date;
  if (year === undefined || month === undefined || dayOfMonth === undefined) return null;
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(dayOfMonth)}`;
}

/** `19:01:14`, null where a field is missing. */
export function timeOfDayText(time: {
  readonly hour: number | undefined;
  readonly minute: number | undefined;
  readonly second: number | undefined;
}): string | null {
  const { hour, minute, second } = time;
  if (hour === undefined || minute === undefined || second === undefined) return null;
  return `${two(hour)}:${two(minute)}:${two(second)}`;
}

/** A value and all values inside it, each with its place. */
export function rawValues(value: Data, path: string): RawValue[] {
  if (value.type === "array" || value.type === "structure")
    return value.value.flatMap((item, index) => rawValues(item, `${path}[${index}]`));
  if (value.type === "compact-array")
    return value.value.items.flatMap((item, index) => rawValues(item, `${path}[${index}]`));
  return [{ path, type: value.type, value: plainValue(value) ?? null }];
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
