import { formatObis, type ObisCode, parseObis } from "../obis/code.ts";
import { type RawValue, type Reading, reading, type Season } from "./reading.ts";
import { scaled } from "./scaling.ts";

/** The lines of a P1 telegram, with their meaning. */
export interface P1Body {
  /** What stands behind the `/`. */
  readonly identification: string;
  readonly readings: readonly Reading[];
  /** Lines without an OBIS code. */
  readonly raw: readonly RawValue[];
  /** What the line that is a clock says; undefined where there is none. */
  readonly time: P1Time | undefined;
}

/** A time of P1: the meter's local time, and which of the two it is, where that is said. */
export interface P1Time {
  /** ISO 8601, without an offset. */
  readonly local: string;
  readonly season: Season | undefined;
}

const LINE = /^([^()\s]+)((?:\([^()]*\))+)$/;
const NUMBER_WITH_UNIT = /^([+-]?)(\d+)(?:\.(\d+))?\*(\S+)$/;
/** `230817152425S`: year to second, and S or W for summer or winter. */
const SHORT_TIME = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})([SW]?)$/;
/** `20240111 09:35:00`: one maker's own. */
const LONG_TIME = /^(\d{4})(\d{2})(\d{2}) (\d{2}):(\d{2}):(\d{2})$/;

/**
 * Reads the lines of a P1 telegram. Numbers keep the unit of the line (`kWh` stays `kWh`); a value without a unit is
 * text, whatever it looks like, since leading zeros may matter.
 */
export function readP1Body(text: string): P1Body {
  const [first = "", ...lines] = text.split(/\r?\n/);
  const parsed = lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("!"));
  const clockLine = parsed.map(readLine).find((line) => line !== undefined && isClock(line.code));
  const time = clockLine === undefined ? undefined : timeOf(clockLine.groups[0] ?? "");
  const readings: Reading[] = [];
  const raw: RawValue[] = [];
  for (const [index, line] of parsed.entries()) {
    const read = readLine(line);
    if (read === undefined) raw.push({ path: `line ${index + 2}`, type: "text", value: line });
    else readings.push(readingOf(read.code, read.groups, time));
  }
  return { identification: first.replace(/^\//, ""), readings, raw, time };
}

function readLine(line: string): { readonly code: ObisCode; readonly groups: readonly string[] } | undefined {
  const match = LINE.exec(line);
  const code = match === null ? undefined : parseObis(match[1] ?? "");
  if (match === null || code === undefined) return undefined;
  const groups = (match[2] ?? "").slice(1, -1).split(")(");
  return { code, groups };
}

/** One group is the value; two with a time first are an M-Bus value and its time; more are a list, kept as text. */
function readingOf(code: ObisCode, groups: readonly string[], sent: P1Time | undefined): Reading {
  const obis = formatObis(code);
  const [first = "", second] = groups;
  const capturedAt = groups.length === 2 && second !== undefined ? timeOf(first) : undefined;
  if (capturedAt !== undefined && second !== undefined)
    return reading({ obis, ...amountOf(second), ...capturedOf(capturedAt) });
  const captured = capturedOf(sent);
  if (groups.length > 1)
    return reading({ obis, value: groups.map((group) => `(${group})`).join(""), unit: null, ...captured });
  return reading({ obis, ...amountOf(first), ...captured });
}

/** A time as readings and notifications have it. */
export function capturedOf(time: P1Time | undefined): Pick<Reading, "time" | "season"> {
  if (time === undefined) return { time: null };
  const { local, season } = time;
  return { time: local, ...(season !== undefined && { season }) };
}

function amountOf(text: string): Pick<Reading, "value" | "unit"> {
  const match = NUMBER_WITH_UNIT.exec(text);
  if (match === null) return { value: text, unit: null };
  const [, sign = "", whole = "", fraction = "", unit = ""] = match;
  return { value: scaled(BigInt(`${sign === "-" ? "-" : ""}${whole}${fraction}`), -fraction.length), unit };
}

function isClock(code: ObisCode): boolean {
  return code.a === 0 && code.c === 1 && code.d === 0 && code.e === 0;
}

const SEASONS: Readonly<Record<string, Season>> = { S: "summer", W: "winter" };

function timeOf(text: string): P1Time | undefined {
  const short = SHORT_TIME.exec(text);
  const long = LONG_TIME.exec(text);
  const fields = long?.slice(1) ?? (short === null ? undefined : [`20${short[1]}`, ...short.slice(2, 7)]);
  if (fields === undefined) return undefined;
  const [year, month, day, hour, minute, second] = fields.map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const given = `${fields[0]}-${fields[1]}-${fields[2]}T${fields[3]}:${fields[4]}:${fields[5]}`;
  // A day that does not exist would come back as another.
  if (date.toISOString().slice(0, 19) !== given) return undefined;
  return { local: given, season: SEASONS[short?.[7] ?? ""] };
}
