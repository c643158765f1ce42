import { Reader } from "../codec/reader.ts";
import { type DateTime, dateOctets, dateTimeOctets, timeOctets } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { formatObis, obisFromOctets, parseObis } from "../obis/code.ts";
import { QUANTITY_UNITS, quantityOf } from "../obis/quantity.ts";
import { localText } from "./clock.ts";
import type { ColumnFormat, LayoutColumn, LayoutName } from "./layout.ts";
import { type RawValue, type Reading, type ReadingValue, reading } from "./reading.ts";
import { scaled } from "./scaling.ts";
import { dateText, numberOf, plainValue, printableText, rawValues, timeOfDayText } from "./value.ts";

/** A positional list read with the columns of its layout. */
export interface PositionalValues {
  readonly readings: readonly Reading[];
  readonly raw: readonly RawValue[];
  /** The time of capture, where a column is that. */
  readonly clock: DateTime | undefined;
}

/** Octets of the string columns whose format fixes their length. */
const FORMAT_BYTES: Readonly<Partial<Record<ColumnFormat, number>>> = { "date-time": 12, date: 5, time: 4, obis: 6 };

/** Whether values are exactly these columns, those that may be left out at the end aside. */
export function fitsColumns(values: readonly Data[], columns: readonly LayoutColumn[]): boolean {
  if (values.length > columns.length) return false;
  if (columns.slice(values.length).some((column) => column.optional !== true)) return false;
  return values.every((value, index) => fitsColumn(value, columns[index] as LayoutColumn));
}

/** Reads values with columns that they fit. */
export function readColumns(values: readonly Data[], columns: readonly LayoutColumn[]): PositionalValues {
  const readings: Reading[] = [];
  const raw: RawValue[] = [];
  let clock: DateTime | undefined;
  for (const [index, value] of values.entries()) {
    const column = columns[index] as LayoutColumn;
    if (column.isClock === true) clock ??= dateTimeIn(value);
    else if (column.name === undefined) {
      if (column.format !== "obis") raw.push(...rawValues(value, `[${index}]`));
    } else {
      const number = numberOf(value);
      const shown = number === undefined ? formatted(value, column.format) : scaled(number, column.scaler ?? 0);
      readings.push(reading({ obis: nameText(column.name), value: shown, unit: unitOf(column, number !== undefined) }));
    }
  }
  return { readings, raw, clock };
}

/** The code or label of a name, as readings carry it. */
export function nameText(name: LayoutName): string {
  if ("label" in name) return name.label;
  const code = parseObis(name.obis);
  return code === undefined ? name.obis : formatObis(code);
}

function fitsColumn(value: Data, column: LayoutColumn): boolean {
  const { type, format, equals } = column;
  if (type === "any") return true;
  const isString = value.type === "octet-string" || value.type === "visible-string";
  if (type === "string" ? !isString : value.type !== type) return false;
  if (format === undefined || value.type !== "octet-string") return true;
  if (format === "text") return printableText(value.value) !== undefined;
  if (value.value.length !== FORMAT_BYTES[format]) return false;
  const code = format === "obis" ? obisFromOctets(value.value) : undefined;
  return equals === undefined || (code !== undefined && formatObis(code) === equals);
}

function unitOf(column: LayoutColumn, isNumber: boolean): string | null {
  if (column.unit !== undefined) return column.unit;
  const code = column.name !== undefined && "obis" in column.name ? parseObis(column.name.obis) : undefined;
  const quantity = code === undefined || !isNumber ? undefined : quantityOf(code);
  return quantity === undefined ? null : QUANTITY_UNITS[quantity];
}

function formatted(value: Data, format: ColumnFormat | undefined): ReadingValue {
  if (value.type !== "octet-string") return plainValue(value) ?? null;
  switch (format) {
    case "date":
      return dateText(dateOctets.decode(new Reader(value.value)));
    case "time":
      return timeOfDayText(timeOctets.decode(new Reader(value.value)));
    case "date-time":
      return localText(dateTimeOctets.decode(new Reader(value.value))) ?? null;
    default:
      return plainValue(value) ?? null;
  }
}

function dateTimeIn(value: Data): DateTime | undefined {
  if (value.type === "date-time") return value.value;
  return value.type === "octet-string" ? dateTimeOctets.decode(new Reader(value.value)) : undefined;
}
