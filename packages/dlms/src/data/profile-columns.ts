import { encode } from "../codec/codec.ts";
import { Reader } from "../codec/reader.ts";
import { DecodeError, DlmsError } from "../errors.ts";
import { data, dataTypeOf } from "./data.ts";
import { skipData } from "./data-octets.ts";
import { dateTimeAt, dateTimeOctets, instantOf } from "./date-time.ts";
import { DATA_TAGS, type Data, type DataType, NULL_DATA } from "./value.ts";

/** What the reading functions give for a row that is not all there, and for one that is wrong. */
const UNFINISHED = -1;
const WRONG = -2;
const MOST_COLUMNS = 255;
const CLOCK_BYTES = 12;
const LEAST_KEPT_BYTES = 16;
const { structure: STRUCTURE, "octet-string": OCTET_STRING, "date-time": DATE_TIME } = DATA_TAGS;
const MILLISECONDS_PER_DAY = 86_400_000;

/**
 * The current value of every column of a profile: what the last row sent, and where it sent null-data what the row before
 * had. Numbers are worked out while a row is read, everything else only when it is asked for.
 */
export class ProfileColumns {
  count = 0;
  /** Whether the current row sent a value: 1, or null-data: 0. */
  readonly sent = new Uint8Array(MOST_COLUMNS);
  readonly numbers = new Float64Array(MOST_COLUMNS);
  /** Where and why the row that was read last is wrong. */
  wrong: string | undefined;
  wrongAt = 0;
  readonly #tags = new Uint8Array(MOST_COLUMNS);
  /** Where the content of each value begins, behind its tag. */
  readonly #starts = new Int32Array(MOST_COLUMNS);
  readonly #ends = new Int32Array(MOST_COLUMNS);
  readonly #sources: Uint8Array[] = [];
  /** Room for values whose octets went away, used again and again. */
  readonly #kept: (Uint8Array | undefined)[] = [];
  /** Differences that come true when their row is complete. */
  readonly #deltas = new Float64Array(MOST_COLUMNS);
  /** Rows since a clock was sent. */
  readonly #clockSteps = new Int32Array(MOST_COLUMNS);
  /** The number is not what the octets say: a difference was added. */
  readonly #computed = new Uint8Array(MOST_COLUMNS);
  readonly #carries: boolean;
  readonly #periodMilliseconds: number;
  readonly #assumedDeviation: number | undefined;
  /** The tags of a compact array's columns. */
  #described: Uint8Array = new Uint8Array(0);
  #isLone = false;
  #dayKey = -1;
  #dayStart = 0;

  constructor(options: {
    readonly nullData?: "previous" | "null";
    readonly capturePeriod?: number;
    readonly assumedDeviation?: number;
  }) {
    this.#carries = options.nullData !== "null";
    this.#periodMilliseconds = (options.capturePeriod ?? 0) * 1000;
    this.#assumedDeviation = options.assumedDeviation;
  }

  /** Keeps what the columns hold before the octets that it lies in go away. */
  detach(): void {
    for (let column = 0; column < this.count; column += 1) {
      const source = this.#sources[column];
      const kept = this.#kept[column];
      if (source === undefined || source === kept) continue;
      const start = this.#starts[column] as number;
      const length = (this.#ends[column] as number) - start;
      const room =
        kept !== undefined && kept.length >= length ? kept : new Uint8Array(Math.max(length, LEAST_KEPT_BYTES));
      room.set(source.subarray(start, start + length));
      this.#kept[column] = room;
      this.#sources[column] = room;
      this.#starts[column] = 0;
      this.#ends[column] = length;
    }
  }

  /** Reads a row at `at`, tag included; gives where it ends, or why not. */
  readRow(b: Uint8Array, at: number): number {
    const count = b[at + 1];
    if (count === undefined) return UNFINISHED;
    if (b[at] !== STRUCTURE) return this.#refuse(at, `tag 0x${(b[at] as number).toString(16)} where a row belongs`);
    // Beyond 127 columns the count has a length form, and nobody has that many.
    if (count > 0x7f) return this.#refuse(at + 1, "more than 127 columns");
    if (this.count !== count) this.#setCount(count);
    let next = at + 2;
    for (let column = 0; column < count; column += 1) {
      const tag = b[next];
      if (tag === undefined) return UNFINISHED;
      next = this.#readValue(b, next + 1, tag, column);
      if (next < 0) return next;
    }
    this.#complete(count);
    return next;
  }

  /** Reads the description of a compact array at `at`; undefined where it is not all there. @throws DecodeError */
  describe(b: Uint8Array, at: number): number | undefined {
    const tag = b[at];
    if (tag === undefined) return undefined;
    this.#isLone = tag !== STRUCTURE;
    const count = this.#isLone ? 1 : b[at + 1];
    const first = this.#isLone ? at : at + 2;
    if (count === undefined || first + count > b.length) return undefined;
    const described = b.slice(first, first + count);
    for (const each of described)
      if (dataTypeOf(each) === undefined || NOT_SIMPLE.has(each))
        throw new DecodeError(
          "wrong-type",
          first,
          `a profile's columns are of simple types, not 0x${each.toString(16)}`,
        );
    this.#described = described;
    this.#setCount(count);
    return first + count;
  }

  /** Reads a row of the compact array that was described. */
  readDescribedRow(b: Uint8Array, at: number): number {
    const described = this.#described;
    let next = at;
    for (let column = 0; column < described.length; column += 1) {
      next = this.#readValue(b, next, described[column] as number, column);
      if (next < 0) return next;
    }
    if (next === at) return this.#refuse(at, "rows without octets");
    this.#complete(described.length);
    return next;
  }

  type(column: number): DataType {
    return dataTypeOf(this.#tags[column] ?? 0) ?? "null-data";
  }

  value(column: number): Data {
    const source = this.#sources[column];
    if (source === undefined) return NULL_DATA;
    const type = this.type(column);
    if (this.#computed[column] === 1) return { type, value: this.numbers[column] } as Data;
    const start = this.#starts[column] as number;
    const end = this.#ends[column] as number;
    if (this.#clockSteps[column] !== 0 && this.#periodMilliseconds > 0 && this.#isClock(column))
      return this.#steppedClock(source, end - CLOCK_BYTES, this.instant(column));
    const length = end - start;
    // Read as it would be with its tag before it, which in a compact array is not there.
    const tagged = new Uint8Array(length + 1);
    tagged[0] = this.#tags[column] as number;
    tagged.set(source.subarray(start, start + length), 1);
    return data.decode(new Reader(tagged));
  }

  /** The instant of a clock, in milliseconds since 1970 UTC; NaN where it is none. */
  instant(column: number): number {
    const source = this.#sources[column];
    if (source === undefined) return Number.NaN;
    if (!this.#isClock(column)) return Number.NaN;
    const end = this.#ends[column] as number;
    return this.#clockAt(source, end - CLOCK_BYTES) + (this.#clockSteps[column] as number) * this.#periodMilliseconds;
  }

  #isClock(column: number): boolean {
    const tag = this.#tags[column];
    const length = (this.#ends[column] as number) - (this.#starts[column] as number);
    return tag === DATE_TIME || (tag === OCTET_STRING && length === CLOCK_BYTES + 1);
  }

  /** The clock of a row that left it out, in the local time and with the status of the last one that was sent. */
  #steppedClock(b: Uint8Array, at: number, instant: number): Data {
    const { deviation = this.#assumedDeviation, status } = dateTimeOctets.decode(new Reader(b, at, at + CLOCK_BYTES));
    if (Number.isNaN(instant)) return NULL_DATA;
    const stepped = { ...dateTimeAt(instant, deviation ?? 0), deviation, status };
    return { type: "octet-string", value: encode(dateTimeOctets, stepped) };
  }

  /** The common form, all fields specified, without an object: years and days are worked out once a day. */
  #clockAt(b: Uint8Array, at: number): number {
    const key =
      ((b[at] as number) << 24) | ((b[at + 1] as number) << 16) | ((b[at + 2] as number) << 8) | (b[at + 3] as number);
    const hour = b[at + 5] as number;
    const minute = b[at + 6] as number;
    const second = b[at + 7] as number;
    const hundredths = b[at + 8] as number;
    const deviation = (((b[at + 9] as number) << 24) >> 16) | (b[at + 10] as number);
    const minutes = deviation === -0x8000 ? (this.#assumedDeviation ?? Number.NaN) : deviation;
    if (key !== this.#dayKey || hour > 23 || minute > 59 || second > 59 || hundredths > 99 || Math.abs(minutes) > 840) {
      const value = dateTimeOctets.decode(new Reader(b, at, at + CLOCK_BYTES));
      const instant = instantOf(value, this.#assumedDeviation) ?? Number.NaN;
      if (Number.isNaN(instant)) return instant;
      const midnight = Date.UTC(value.year ?? 0, (value.month ?? 1) - 1, value.dayOfMonth ?? 1);
      if (midnight % MILLISECONDS_PER_DAY === 0) {
        this.#dayKey = key;
        this.#dayStart = midnight;
      }
      return instant;
    }
    return this.#dayStart + ((hour * 60 + minute + minutes) * 60 + second) * 1000 + hundredths * 10;
  }

  /** Reads the content of one value at `at`; gives where it ends, or why not. */
  #readValue(b: Uint8Array, at: number, tag: number, column: number): number {
    let end: number;
    let number: number;
    switch (tag) {
      case DATA_TAGS["null-data"]:
      case DATA_TAGS["dont-care"]:
        return this.#readNull(b, at, tag, column);
      case DATA_TAGS["double-long-unsigned"]:
        end = at + 4;
        if (end > b.length) return UNFINISHED;
        number =
          (((b[at] as number) << 24) |
            ((b[at + 1] as number) << 16) |
            ((b[at + 2] as number) << 8) |
            (b[at + 3] as number)) >>>
          0;
        break;
      case OCTET_STRING:
      case DATA_TAGS["visible-string"]:
      case DATA_TAGS["utf8-string"]: {
        const length = b[at];
        if (length === undefined) return UNFINISHED;
        if (length > 0x7f) return this.#readOther(b, at, tag, column);
        end = at + 1 + length;
        if (end > b.length) return UNFINISHED;
        number = Number.NaN;
        break;
      }
      case DATA_TAGS.unsigned:
      case DATA_TAGS.enum:
      case DATA_TAGS.boolean:
        end = at + 1;
        if (end > b.length) return UNFINISHED;
        number = b[at] as number;
        break;
      case DATA_TAGS["long-unsigned"]:
        end = at + 2;
        if (end > b.length) return UNFINISHED;
        number = ((b[at] as number) << 8) | (b[at + 1] as number);
        break;
      case DATA_TAGS["double-long"]:
        end = at + 4;
        if (end > b.length) return UNFINISHED;
        number =
          ((b[at] as number) << 24) |
          ((b[at + 1] as number) << 16) |
          ((b[at + 2] as number) << 8) |
          (b[at + 3] as number);
        break;
      case DATA_TAGS.long:
        end = at + 2;
        if (end > b.length) return UNFINISHED;
        number = (((b[at] as number) << 24) >> 16) | (b[at + 1] as number);
        break;
      default:
        return this.#readOther(b, at, tag, column);
    }
    this.sent[column] = 1;
    this.numbers[column] = number;
    this.#tags[column] = tag;
    this.#starts[column] = at;
    this.#ends[column] = end;
    this.#sources[column] = b;
    this.#computed[column] = 0;
    return end;
  }

  #readNull(b: Uint8Array, at: number, tag: number, column: number): number {
    this.sent[column] = 0;
    if (this.#carries && this.#sources[column] !== undefined) return at;
    this.numbers[column] = Number.NaN;
    this.#tags[column] = tag;
    this.#starts[column] = at;
    this.#ends[column] = at;
    if (!this.#carries) this.#sources[column] = b;
    return at;
  }

  /** Types that are rare in profiles, through the Data codec; differences against the value before. */
  #readOther(b: Uint8Array, at: number, tag: number, column: number): number {
    const type = dataTypeOf(tag);
    if (type === undefined) return this.#refuse(at - 1, `tag 0x${tag.toString(16)} is no type of COSEM data`);
    const tagged = this.#described.length > 0 ? undefined : at - 1;
    const r = tagged === undefined ? withTag(tag, b.subarray(at, at + longestContent(tag))) : new Reader(b, tagged);
    const before = r.offset;
    try {
      skipData(r);
    } catch (error) {
      if (!(error instanceof DlmsError)) throw error;
      return error.code === "truncated" || error.code === "too-many" ? UNFINISHED : this.#refuse(at, error.message);
    }
    const end = at - 1 + (r.offset - before);
    r.offset = before;
    const number = numberIn(r);
    this.sent[column] = 1;
    if (type.startsWith("delta-") && this.#sources[column] !== undefined) {
      this.#deltas[column] = number;
      return end;
    }
    this.numbers[column] = number;
    this.#tags[column] = tag;
    this.#starts[column] = at;
    this.#ends[column] = end;
    this.#sources[column] = b;
    this.#computed[column] = 0;
    return end;
  }

  /** The row is all there: what was left out of it takes one step, and differences are added. */
  #complete(count: number): void {
    for (let column = 0; column < count; column += 1) {
      if (this.sent[column] === 0) {
        if (this.#carries) this.#clockSteps[column] = (this.#clockSteps[column] as number) + 1;
        continue;
      }
      this.#clockSteps[column] = 0;
      const delta = this.#deltas[column] as number;
      if (delta === 0) continue;
      this.numbers[column] = (this.numbers[column] as number) + delta;
      this.#computed[column] = 1;
      this.#deltas[column] = 0;
    }
  }

  #setCount(count: number): void {
    this.count = count;
    this.#sources.length = 0;
    for (let column = 0; column < count; column += 1) this.#sources.push(undefined as unknown as Uint8Array);
    this.#clockSteps.fill(0);
    this.#deltas.fill(0);
  }

  #refuse(at: number, why: string): number {
    this.wrong = why;
    this.wrongAt = at;
    return WRONG;
  }
}

const NOT_SIMPLE: ReadonlySet<number> = new Set([DATA_TAGS.array, STRUCTURE, DATA_TAGS["compact-array"]]);

/** Octets that the content of a type can have, where it may matter how many are copied. */
function longestContent(tag: number): number {
  return tag === OCTET_STRING || tag === DATA_TAGS["bit-string"] ? 65_536 : 16;
}

function withTag(tag: number, content: Uint8Array): Reader {
  const tagged = new Uint8Array(content.length + 1);
  tagged[0] = tag;
  tagged.set(content, 1);
  return new Reader(tagged);
}

function numberIn(r: Reader): number {
  const start = r.offset;
  try {
    const { value } = data.decode(r);
    if (typeof value === "number") return value;
    return typeof value === "bigint" ? Number(value) : Number.NaN;
  } catch {
    return Number.NaN;
  } finally {
    r.offset = start;
  }
}
