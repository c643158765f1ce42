import { decode } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { type DateTime, dateTimeOctets, instantOf } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";

const DATE_TIME_BYTES = 12;

/**
 * A number by which values are compared: numbers by themselves, date-times by their moment; undefined for what has no
 * order. `deviation` (minutes from local time to UTC) is for date-times that do not say their own.
 */
export function orderOf(value: Data, deviation: number): number | undefined {
  switch (value.type) {
    case "double-long":
    case "double-long-unsigned":
    case "integer":
    case "long":
    case "unsigned":
    case "long-unsigned":
    case "enum":
    case "float32":
    case "float64":
      return value.value;
    case "long64":
    case "long64-unsigned":
      return Number(value.value);
    case "boolean":
      return Number(value.value);
    default: {
      const time = dateTimeOf(value);
      return time === undefined ? undefined : instantOf(time, deviation);
    }
  }
}

/** As `orderOf`, for encoded Data. */
export function orderOfOctets(octets: Uint8Array, deviation: number): number | undefined {
  return orderOf(decode(data, octets), deviation);
}

/** A date-time, tagged or in an octet-string. */
export function dateTimeOf(value: Data): DateTime | undefined {
  if (value.type === "date-time") return value.value;
  if (value.type !== "octet-string" || value.value.length !== DATE_TIME_BYTES) return undefined;
  return decode(dateTimeOctets, value.value);
}
