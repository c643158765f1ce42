import { equalBytes } from "../bytes.ts";
import { Writer } from "../codec/writer.ts";
import type { AttributeSelection } from "../cosem/class-declaration.ts";
import { ProfileGeneric } from "../cosem/classes/profile-generic.ts";
import { type EncodedData, encodedData } from "../cosem/encoded-data.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { CaptureObject } from "../cosem/structures.ts";
import type { Data } from "../data/value.ts";
import { DATA_TAGS } from "../data/value.ts";
import { dateTimeOf, orderOf, orderOfOctets } from "./ordering.ts";

/** sort_method (Blue Book 4.3.6). */
export type SortMethod = "fifo" | "lifo" | "largest" | "smallest" | "nearestToZero" | "farthestFromZero";

/** How a profile is set up. */
export interface ProfileSettings {
  readonly captureObjects: readonly CaptureObject[];
  /** Seconds; 0 for captures that something else triggers. */
  readonly capturePeriod: number;
  readonly sortMethod: SortMethod;
  /** The column that sorts, for the methods that go by value. */
  readonly sortObject?: CaptureObject;
  readonly profileEntries: number;
}

/** What a profile is put together from. */
export interface ProfileParts {
  readonly settings: ProfileSettings;
  /** The value of a column now, as encoded Data. */
  readonly capture: (column: CaptureObject) => Uint8Array;
  /** Minutes from local time to UTC, for limits of ranges that do not say it. */
  readonly deviation: () => number;
  /** Whether values that equal the row before are sent as null-data. */
  readonly nullCompression?: boolean;
}

type Row = readonly Uint8Array[];
type Selection = AttributeSelection<typeof ProfileGeneric.attributes.buffer>;

const CLOCK_CLASS = 8;
const NO_OBJECT: CaptureObject = { classId: 0, logicalName: "0.0.0.0.0.0", attributeIndex: 0, dataIndex: 0 };
const NULL_DATA_OCTETS = Uint8Array.of(DATA_TAGS["null-data"]);

/**
 * A profile (class 7) that captures and keeps its rows. For rows that are computed see `serveProfile`.
 *
 * State: settings; rows, in the order in which they are sent; the period in which it last captured on its own. Changing
 * what it captures empties it.
 */
export class ProfileBuffer {
  readonly #parts: ProfileParts;
  #settings: ProfileSettings;
  #rows: Row[] = [];
  #period: number | undefined;

  constructor(parts: ProfileParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
  }

  get settings(): ProfileSettings {
    return this.#settings;
  }

  set settings(settings: ProfileSettings) {
    this.#settings = settings;
    this.reset();
  }

  get entriesInUse(): number {
    return this.#rows.length;
  }

  reset(): void {
    this.#rows = [];
  }

  /** Captures a row; the one that the sort method wants least makes room. */
  capture(): void {
    const row = this.#settings.captureObjects.map((column) => this.#parts.capture(column));
    const { sortMethod, profileEntries } = this.#settings;
    if (profileEntries === 0) return;
    if (sortMethod === "fifo") {
      this.#rows.push(row);
      if (this.#rows.length > profileEntries) this.#rows.shift();
      return;
    }
    const at = sortMethod === "lifo" ? 0 : this.#placeOf(row);
    this.#rows.splice(at, 0, row);
    if (this.#rows.length > profileEntries) this.#rows.pop();
  }

  /** Lets time pass, in milliseconds since 1970 UTC: captures when a new period has begun. */
  tick(instant: number): void {
    const { capturePeriod } = this.#settings;
    if (capturePeriod === 0) return;
    const period = Math.floor(instant / 1000 / capturePeriod);
    if (this.#period !== undefined && period > this.#period) this.capture();
    this.#period = period;
  }

  /** Behind all rows that the sort method prefers. */
  #placeOf(row: Row): number {
    const weight = this.#weightOf(row);
    const at = this.#rows.findIndex((other) => this.#weightOf(other) > weight);
    return at === -1 ? this.#rows.length : at;
  }

  /** Lower comes first. */
  #weightOf(row: Row): number {
    const { sortMethod, sortObject, captureObjects } = this.#settings;
    const column = captureObjects.findIndex((one) => sortObject !== undefined && isSame(one, sortObject));
    const cell = row[column];
    const value = cell === undefined ? undefined : orderOfOctets(cell, this.#parts.deviation());
    if (value === undefined) return Number.POSITIVE_INFINITY;
    if (sortMethod === "largest") return -value;
    if (sortMethod === "smallest") return value;
    return sortMethod === "nearestToZero" ? Math.abs(value) : -Math.abs(value);
  }

  /** The rows and columns selected, as Data; a refusal for what cannot be selected. */
  select(selection: Selection | undefined): EncodedData | AccessRefusal {
    const columns = this.#settings.captureObjects.map((_, column) => column);
    if (selection === undefined) return this.#encode(this.#rows, columns);
    if (selection.kind === "range") return this.#range(selection.value, columns);
    const { fromEntry, toEntry, fromSelectedValue, toSelectedValue } = selection.value;
    const rows = this.#rows.slice(Math.max(fromEntry, 1) - 1, toEntry === 0 ? undefined : toEntry);
    const chosen = columns.slice(
      Math.max(fromSelectedValue, 1) - 1,
      toSelectedValue === 0 ? undefined : toSelectedValue,
    );
    return this.#encode(rows, chosen);
  }

  #range(
    { restrictingObject, fromValue, toValue, selectedValues }: Extract<Selection, { kind: "range" }>["value"],
    columns: readonly number[],
  ): EncodedData | AccessRefusal {
    const { captureObjects } = this.#settings;
    const by = captureObjects.findIndex((column) => isSame(column, restrictingObject));
    const chosen = selectedValues.map((wanted) => captureObjects.findIndex((column) => isSame(column, wanted)));
    const from = this.#limit(fromValue, Number.NEGATIVE_INFINITY);
    const to = this.#limit(toValue, Number.POSITIVE_INFINITY);
    if (by === -1 || chosen.includes(-1) || from === undefined || to === undefined)
      return refuse("scope-of-access-violated");
    const rows = this.#rows.filter((row) => {
      const value = orderOfOctets(row[by] as Uint8Array, this.#parts.deviation());
      return value !== undefined && value >= from && value <= to;
    });
    return this.#encode(rows, chosen.length === 0 ? columns : chosen);
  }

  /** A limit of a range; a date that is not specified leaves its side open. */
  #limit(limit: Data, open: number): number | undefined {
    const time = dateTimeOf(limit);
    if (time !== undefined && time.year === undefined && time.month === undefined && time.dayOfMonth === undefined)
      return open;
    return orderOf(limit, this.#parts.deviation());
  }

  #encode(rows: readonly Row[], columns: readonly number[]): EncodedData {
    const writer = new Writer();
    writer.unsigned8(DATA_TAGS.array);
    writer.length(rows.length);
    let before: Row | undefined;
    for (const row of rows) {
      writer.unsigned8(DATA_TAGS.structure);
      writer.length(columns.length);
      for (const column of columns) writer.octets(this.#cell(row, before, column));
      before = row;
    }
    return encodedData(writer.finish());
  }

  /** Null-data for a cell that follows from the row before: the same value, or a clock that is one period further. */
  #cell(row: Row, before: Row | undefined, column: number): Uint8Array {
    const cell = row[column] as Uint8Array;
    const previous = before?.[column];
    if (this.#parts.nullCompression !== true || previous === undefined) return cell;
    const { captureObjects, capturePeriod } = this.#settings;
    if (captureObjects[column]?.classId !== CLOCK_CLASS) return equalBytes(cell, previous) ? NULL_DATA_OCTETS : cell;
    const deviation = this.#parts.deviation();
    const step = (orderOfOctets(cell, deviation) ?? Number.NaN) - (orderOfOctets(previous, deviation) ?? Number.NaN);
    return capturePeriod > 0 && step === capturePeriod * 1000 ? NULL_DATA_OCTETS : cell;
  }
}

/** Serves class 7 from profiles that keep their rows. */
export function serveProfileBuffer<State>(
  bufferOf: (state: State, context: ServeContext) => ProfileBuffer,
): ServedClass<State> {
  const change = (part: Partial<ProfileSettings>, state: State, context: ServeContext): void => {
    const buffer = bufferOf(state, context);
    buffer.settings = { ...buffer.settings, ...part };
  };
  return ProfileGeneric.serve<State>({
    get: {
      buffer: (state, context, selection) => bufferOf(state, context).select(selection),
      captureObjects: (state, context) => bufferOf(state, context).settings.captureObjects,
      capturePeriod: (state, context) => bufferOf(state, context).settings.capturePeriod,
      sortMethod: (state, context) => bufferOf(state, context).settings.sortMethod,
      sortObject: (state, context) => bufferOf(state, context).settings.sortObject ?? NO_OBJECT,
      entriesInUse: (state, context) => bufferOf(state, context).entriesInUse,
      profileEntries: (state, context) => bufferOf(state, context).settings.profileEntries,
    },
    set: {
      captureObjects: (captureObjects, state, context) => change({ captureObjects }, state, context),
      capturePeriod: (capturePeriod, state, context) => change({ capturePeriod }, state, context),
      sortMethod: (sortMethod, state, context) => change({ sortMethod }, state, context),
      sortObject: (sortObject, state, context) => change({ sortObject }, state, context),
      profileEntries: (profileEntries, state, context) => change({ profileEntries }, state, context),
    },
    call: {
      reset: (_, state, context) => bufferOf(state, context).reset(),
      capture: (_, state, context) => bufferOf(state, context).capture(),
    },
  });
}

function isSame(a: CaptureObject, b: CaptureObject): boolean {
  return (
    a.classId === b.classId &&
    a.logicalName === b.logicalName &&
    a.attributeIndex === b.attributeIndex &&
    a.dataIndex === b.dataIndex
  );
}
