import { parseObis } from "../obis/code.ts";
import { obisInWords } from "../obis/words.ts";

/** A value as it is handed out: numbers in the unit given, everything else as text. */
export type ReadingValue = number | string | boolean | null;

/** One value of a telegram. */
export interface Reading {
  /**
   * The OBIS code, `1-0:1.8.0`; where the operator's layout has a column without a code, the label that the layout gives
   * it, such as `time-of-day`.
   */
  readonly obis: string;
  /** What it is, in words. */
  readonly name: string;
  /**
   * The value, scaled exactly: `234.5`, never `234.50000000000003`. Integers that no double holds are decimal text;
   * dates and times are ISO 8601 in the meter's local time.
   */
  readonly value: ReadingValue;
  /** Symbol of the unit; empty for a plain ratio, null for text and for values whose unit is not known. */
  readonly unit: string | null;
  /** When it was captured: ISO 8601, with the offset to UTC where the meter says it; null where nothing tells. */
  readonly time: string | null;
  /**
   * Whether that is summer or winter time, where the meter says just this and not the offset, as P1 does: in the hour that comes twice
   * in autumn nothing else tells which it is.
   */
  readonly season?: Season;
}

/** Half of a year in which clocks on walls show one of two times. */
export type Season = "summer" | "winter";

/** A value of a telegram that nothing gives a meaning: shown as it came, never guessed at. */
export interface RawValue {
  /** Where it stands, for instance `[3]` or `[3][0]`. */
  readonly path: string;
  /** The COSEM type, or `text` in a P1 telegram. */
  readonly type: string;
  readonly value: ReadingValue;
}

/** Builds a reading; its name comes from the code unless a layout gives one. */
export function reading(
  fields: Pick<Reading, "obis" | "value" | "unit"> & {
    readonly time?: string | null;
    readonly season?: Season;
    readonly name?: string;
  },
): Reading {
  const { obis, value, unit, time = null, season } = fields;
  const code = parseObis(obis);
  const name = fields.name ?? (code === undefined ? inWords(obis) : obisInWords(code));
  return { obis, name, value, unit, time, ...(season !== undefined && { season }) };
}

/** `time-of-day` reads as `Time of day`. */
function inWords(label: string): string {
  const text = label.replaceAll("-", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
