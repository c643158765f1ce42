import { DecodeError } from "../errors.ts";

import { ProfileColumns } from "./profile-columns.ts";
import { DATA_TAGS, type Data, type DataType } from "./value.ts";

/** How a profile's buffer is read. */
export interface ProfileDecoderOptions {
  /**
   * What null-data stands for. `previous`, the default: the value of the row before, and for the clock one capture period
   * after it (Blue Book 4.3.6, compression of the buffer). `null`: nothing but itself.
   */
  readonly nullData?: "previous" | "null";
  /** Seconds between rows, for clocks that are left out. */
  readonly capturePeriod?: number;
  /** Minutes from local time to UTC, for clocks that do not say it themselves; without it their instant is unknown. */
  readonly assumedDeviation?: number;
  /** Rows beyond this many are refused; 2^32 - 1 unless given. */
  readonly maxRows?: number;
}

/**
 * One row while it is being looked at: the same object for every row, so take out of it what is to be kept. Columns are
 * numbered from 0.
 */
export interface ProfileRowView {
  /** From 0. */
  readonly index: number;
  readonly columns: number;
  /** The type of the value; of the one that stands for it where null-data was sent. */
  type(column: number): DataType;
  /** False where null-data was sent. */
  isSent(column: number): boolean;
  /** The value as a number: NaN where it is none. Beyond 2^53 the nearest. */
  number(column: number): number;
  /** Milliseconds since 1970 UTC of a clock, in an octet-string or as date-time; NaN where it is none or not known. */
  instant(column: number): number;
  /** The value as Data; octets in it are views that live as long as the row. */
  value(column: number): Data;
}

const NO_OCTETS = new Uint8Array(0);

/**
 * Reads the buffer of a profile as it comes, in pieces of any length, row by row and without keeping any: memory does not
 * grow with the profile. Arrays and compact arrays of structures are read; 2 880 rows of 6 columns take half a
 * millisecond.
 *
 * States: before the array; in its rows; at its end, where octets that follow are ignored, since some meters send some.
 * After an error nothing further belongs here.
 */
export class ProfileDecoder {
  readonly #onRow: (row: ProfileRowView) => void;
  readonly #columns: ProfileColumns;
  readonly #maxRows: number;
  /** What was pushed and is not read yet, from `#at` on. */
  #bytes: Uint8Array = NO_OCTETS;
  #at = 0;
  /** Octets read before `#bytes`: for the offsets of errors. */
  #before = 0;
  #state: "head" | "rows" | "compact-rows" | "end" = "head";
  #rowsLeft = 0;
  /** Octets of a compact array's content that are still to come. */
  #octetsLeft = 0;
  #row: RowView;

  constructor(onRow: (row: ProfileRowView) => void, options: ProfileDecoderOptions = {}) {
    this.#onRow = onRow;
    this.#columns = new ProfileColumns(options);
    this.#maxRows = options.maxRows ?? 0xffffffff;
    this.#row = new RowView(this.#columns);
  }

  /** Rows given so far. */
  get rows(): number {
    return this.#row.index + 1;
  }

  /** Takes the next octets and gives the rows that are complete. @throws DecodeError with the offset from the first octet */
  push(octets: Uint8Array): void {
    this.#take(octets);
    if (this.#state === "head" && !this.#readHead()) return;
    if (this.#state === "rows") this.#readRows();
    else if (this.#state === "compact-rows") this.#readCompactRows();
  }

  /** Says that nothing follows. @throws DecodeError `truncated` when something is missing */
  end(): void {
    if (this.#state === "end") return;
    if (this.#state === "compact-rows" && this.#octetsLeft === 0) return;
    throw new DecodeError("truncated", this.#before + this.#bytes.length, `the profile ends after ${this.rows} rows`);
  }

  #take(octets: Uint8Array): void {
    const left = this.#bytes.length - this.#at;
    this.#columns.detach();
    this.#before += this.#at;
    if (left === 0) this.#bytes = octets;
    else {
      const joined = new Uint8Array(left + octets.length);
      joined.set(this.#bytes.subarray(this.#at));
      joined.set(octets, left);
      this.#bytes = joined;
    }
    this.#at = 0;
  }

  #readHead(): boolean {
    const b = this.#bytes;
    const [tag] = b;
    if (tag === undefined) return false;
    if (tag === DATA_TAGS["null-data"]) {
      this.#state = "end";
      return true;
    }
    if (tag === DATA_TAGS["compact-array"]) return this.#readCompactHead();
    if (tag !== DATA_TAGS.array) throw this.#error("wrong-type", 0, `tag 0x${tag.toString(16)} where an array belongs`);
    const head = lengthAt(b, 1);
    if (head === undefined) return false;
    const [count, at] = head;
    if (count > this.#maxRows) throw this.#error("too-many", 1, `${count} rows, at most ${this.#maxRows} allowed`);
    this.#rowsLeft = count;
    this.#at = at;
    this.#state = count === 0 ? "end" : "rows";
    return true;
  }

  #readCompactHead(): boolean {
    const described = this.#columns.describe(this.#bytes, 1);
    const head = described === undefined ? undefined : lengthAt(this.#bytes, described);
    if (head === undefined) {
      if (this.#bytes.length > MOST_HEAD_BYTES) throw this.#error("too-many", 0, "a description without an end");
      return false;
    }
    [this.#octetsLeft, this.#at] = head;
    this.#state = "compact-rows";
    return true;
  }

  #readRows(): void {
    const b = this.#bytes;
    while (this.#rowsLeft > 0) {
      const end = this.#columns.readRow(b, this.#at);
      if (end < 0) {
        this.#judge(end);
        return;
      }
      this.#at = end;
      this.#rowsLeft -= 1;
      this.#row.index += 1;
      this.#onRow(this.#row);
    }
    this.#state = "end";
  }

  #readCompactRows(): void {
    const b = this.#bytes;
    while (this.#octetsLeft > 0) {
      const end = this.#columns.readDescribedRow(b, this.#at);
      if (end < 0) {
        this.#judge(end);
        return;
      }
      this.#octetsLeft -= end - this.#at;
      if (this.#octetsLeft < 0) throw this.#error("wrong-length", this.#at, "a row goes beyond the compact array");
      this.#at = end;
      this.#row.index += 1;
      if (this.#row.index >= this.#maxRows) throw this.#error("too-many", this.#at, `more than ${this.#maxRows} rows`);
      this.#onRow(this.#row);
    }
    this.#state = "end";
  }

  /** An unfinished row waits for more octets, unless it is longer than any; a wrong one is refused. */
  #judge(end: number): void {
    const { wrongAt, wrong } = this.#columns;
    if (wrong !== undefined) throw this.#error("wrong-type", wrongAt, wrong);
    if (end === UNFINISHED && this.#bytes.length - this.#at > MOST_ROW_BYTES)
      throw this.#error("too-many", this.#at, `a row of more than ${MOST_ROW_BYTES} octets`);
  }

  #error(code: "wrong-type" | "wrong-length" | "too-many", at: number, detail: string): DecodeError {
    return new DecodeError(code, this.#before + at, detail).within(this.rows);
  }
}

/** What `ProfileColumns.readRow` gives for a row that is not all there. */
const UNFINISHED = -1;
/** Far beyond every real row, and what a hostile one may make us keep. */
const MOST_ROW_BYTES = 65_536;
const MOST_HEAD_BYTES = 4096;

function lengthAt(b: Uint8Array, at: number): readonly [value: number, next: number] | undefined {
  const first = b[at];
  if (first === undefined) return undefined;
  if (first < 0x80) return [first, at + 1];
  const octets = first & 0x7f;
  if (octets === 0 || octets > 4) throw new DecodeError("wrong-length", at, `length form 0x${first.toString(16)}`);
  if (at + 1 + octets > b.length) return undefined;
  let value = 0;
  for (let index = 0; index < octets; index += 1) value = value * 256 + (b[at + 1 + index] as number);
  return [value, at + 1 + octets];
}

class RowView implements ProfileRowView {
  index = -1;
  readonly #columns: ProfileColumns;

  constructor(columns: ProfileColumns) {
    this.#columns = columns;
  }

  get columns(): number {
    return this.#columns.count;
  }

  type(column: number): DataType {
    return this.#columns.type(column);
  }

  isSent(column: number): boolean {
    return this.#columns.sent[column] === 1;
  }

  number(column: number): number {
    return this.#columns.numbers[column] ?? Number.NaN;
  }

  instant(column: number): number {
    return this.#columns.instant(column);
  }

  value(column: number): Data {
    return this.#columns.value(column);
  }
}

/** All rows of a buffer that is there as a whole, as Data. @throws DecodeError */
export function decodeProfile(octets: Uint8Array, options: ProfileDecoderOptions = {}): Data[][] {
  const rows: Data[][] = [];
  const decoder = new ProfileDecoder((row) => {
    rows.push(Array.from({ length: row.columns }, (_, column) => row.value(column)));
  }, options);
  decoder.push(octets);
  decoder.end();
  return rows;
}
