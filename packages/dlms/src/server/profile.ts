import type { Infer } from "../codec/codec.ts";
import { decode } from "../codec/codec.ts";
import type { Writer } from "../codec/writer.ts";
import type { AttributeSelection } from "../cosem/class-declaration.ts";
import { ProfileGeneric } from "../cosem/classes/profile-generic.ts";
import { type EncodedData, encodedData } from "../cosem/encoded-data.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import type { ServedClass } from "../cosem/served.ts";
import type { CaptureObject } from "../cosem/structures.ts";
import { type DateTime, dateTimeOctets, instantOf } from "../data/date-time.ts";
import { encodeProfile, type ProfileEncoding } from "../data/profile-encoder.ts";
import type { Data } from "../data/value.ts";

/** The rows of a profile as its owner keeps them: packed, computed, or in a file. Row 0 is the oldest. */
export interface ProfileRows {
  readonly length: number;
  /** When the row was captured, in milliseconds since 1970 UTC: ranges select by it. */
  instant(row: number): number;
  /** Whether no row was captured before the one above it, as where no clock was ever set back: ranges are then found without a look at every row. */
  readonly isInOrder?: boolean;
  /** Writes one cell as Data; `column` counts from 0. */
  writeCell(writer: Writer, row: number, column: number): void;
}

/** What a profile captures and where its rows are. */
export interface ProfileSource<State> {
  readonly columns: readonly CaptureObject[];
  /** Seconds. */
  readonly capturePeriod: number;
  /** The most rows it holds. */
  readonly profileEntries: number;
  /** Minutes from local time to UTC, for range limits that do not say it themselves. */
  readonly deviation: number;
  /** How rows are written; `plain` unless given. */
  readonly encoding?: ProfileEncoding;
  rows(state: State): ProfileRows;
}

type ProfileSelection = AttributeSelection<typeof ProfileGeneric.attributes.buffer>;
type RangeSelection = Extract<ProfileSelection, { kind: "range" }>["value"];
type EntrySelection = Extract<ProfileSelection, { kind: "entry" }>["value"];

type SelectionFields = "columns" | "deviation" | "capturePeriod" | "encoding";

const CLOCK_CLASS = 8;

/** Serves a profile from its rows: buffer with selection by range of the clock and by entry, and what describes it. */
export function serveProfile<State>(source: ProfileSource<State>): ServedClass<State> {
  const clock = source.columns.find((column) => column.classId === CLOCK_CLASS) ?? source.columns[0];
  return ProfileGeneric.serve<State>({
    get: {
      buffer: (state, _, selection) => selectRows(source, source.rows(state), selection),
      captureObjects: () => source.columns,
      capturePeriod: () => source.capturePeriod,
      sortMethod: () => "fifo",
      sortObject: () => clock ?? NO_OBJECT,
      entriesInUse: (state) => source.rows(state).length,
      profileEntries: () => source.profileEntries,
    },
  });
}

const NO_OBJECT: CaptureObject = { classId: 0, logicalName: "0.0.0.0.0.0", attributeIndex: 0, dataIndex: 0 };

function selectRows(
  source: Pick<ProfileSource<never>, SelectionFields>,
  rows: ProfileRows,
  selection: ProfileSelection | undefined,
): EncodedData | AccessRefusal {
  const all = source.columns.map((_, column) => column);
  if (selection === undefined) return encodeRows(source, rows, everyRow(rows), all);
  return selection.kind === "range"
    ? selectRange(source, rows, selection.value)
    : selectEntries(source, rows, all, selection.value);
}

function selectRange(
  source: Pick<ProfileSource<never>, SelectionFields>,
  rows: ProfileRows,
  range: RangeSelection,
): EncodedData | AccessRefusal {
  const { columns, deviation } = source;
  if (range.restrictingObject.classId !== CLOCK_CLASS) return refuse("scope-of-access-violated");
  const from = limitInstant(range.fromValue, deviation, Number.NEGATIVE_INFINITY);
  const to = limitInstant(range.toValue, deviation, Number.POSITIVE_INFINITY);
  if (from === undefined || to === undefined) return refuse("scope-of-access-violated");
  const selected = range.selectedValues.map((wanted) => columns.findIndex((column) => sameObject(column, wanted)));
  if (selected.includes(-1)) return refuse("scope-of-access-violated");
  return encodeRows(
    source,
    rows,
    rowsWithin(rows, from, to),
    selected.length === 0 ? columns.map((_, column) => column) : selected,
  );
}

function selectEntries(
  source: Pick<ProfileSource<never>, SelectionFields>,
  rows: ProfileRows,
  all: readonly number[],
  entry: EntrySelection,
): EncodedData {
  const last = entry.toEntry === 0 ? rows.length : Math.min(entry.toEntry, rows.length);
  const first = Math.max(entry.fromEntry, 1);
  const chosen = everyRow(rows).slice(first - 1, last);
  const lastColumn = entry.toSelectedValue === 0 ? all.length : entry.toSelectedValue;
  return encodeRows(source, rows, chosen, all.slice(Math.max(entry.fromSelectedValue, 1) - 1, lastColumn));
}

/** A range limit in milliseconds since 1970; a date that is not specified is `open`, on that side. */
function limitInstant(limit: Data, deviation: number, open: number): number | undefined {
  const value = limitDateTime(limit);
  if (value === undefined) return undefined;
  const { year, month, dayOfMonth } = value;
  const unspecified = year === undefined && month === undefined && dayOfMonth === undefined;
  return unspecified ? open : instantOf(value, deviation);
}

function limitDateTime(limit: Data): DateTime | undefined {
  if (limit.type === "date-time") return limit.value;
  if (limit.type !== "octet-string" || limit.value.length !== 12) return undefined;
  return decode(dateTimeOctets, limit.value);
}

function sameObject(a: CaptureObject, b: Infer<typeof ProfileGeneric.attributes.sortObject.codec>): boolean {
  return (
    a.classId === b.classId &&
    a.logicalName === b.logicalName &&
    a.attributeIndex === b.attributeIndex &&
    a.dataIndex === b.dataIndex
  );
}

function everyRow(rows: ProfileRows): number[] {
  return rowsFrom(0, rows.length);
}

function rowsFrom(first: number, end: number): number[] {
  const chosen: number[] = [];
  for (let row = first; row < end; row += 1) chosen.push(row);
  return chosen;
}

/** Rows captured from one instant to another, both included. */
function rowsWithin(rows: ProfileRows, from: number, to: number): number[] {
  if (rows.isInOrder === true)
    return rowsFrom(
      firstRow(rows, (instant) => instant >= from),
      firstRow(rows, (instant) => instant > to),
    );
  const chosen: number[] = [];
  for (let row = 0; row < rows.length; row += 1) {
    const instant = rows.instant(row);
    if (instant >= from && instant <= to) chosen.push(row);
  }
  return chosen;
}

/** The first row of those in order that is there already; their number where none is. */
function firstRow(rows: ProfileRows, isThere: (instant: number) => boolean): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isThere(rows.instant(middle))) high = middle;
    else low = middle + 1;
  }
  return low;
}

function encodeRows(
  source: Pick<ProfileSource<never>, "columns" | "capturePeriod" | "encoding">,
  rows: ProfileRows,
  chosen: readonly number[],
  columns: readonly number[],
): EncodedData {
  const periodMilliseconds = source.capturePeriod * 1000;
  const at = (index: number): number => rows.instant(chosen[index] as number);
  const octets = encodeProfile(
    {
      rows: chosen.length,
      columns: columns.length,
      writeCell: (writer, row, column) => rows.writeCell(writer, chosen[row] as number, columns[column] as number),
      isOnePeriodOn: (row, column) =>
        source.columns[columns[column] as number]?.classId === CLOCK_CLASS &&
        at(row) === at(row - 1) + periodMilliseconds,
    },
    source.encoding,
  );
  return encodedData(octets);
}
