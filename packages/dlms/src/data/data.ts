import type { Codec } from "../codec/codec.ts";
import type { Reader } from "../codec/reader.ts";
import {
  boolean,
  bytes,
  float32,
  float64,
  integer8,
  integer16,
  integer32,
  integer64,
  unsigned8,
  unsigned16,
  unsigned32,
  unsigned64,
  utf8,
} from "../codec/scalars.ts";
import { decodeElements } from "../codec/sequence.ts";
import { DlmsError, within } from "../errors.ts";
import { bitStringOctets } from "./bit-string.ts";
import { compactArrayOf } from "./compact-array.ts";
import { dateOctets, dateTimeOctets, timeOctets } from "./date-time.ts";
import { DATA_TAGS, type Data, type DataType } from "./value.ts";

/** Data with its tag: A-XDR as in Green Book 9.5. Unknown tags, depth over 16 and impossible counts are refused. */
export const data: Codec<Data> = {
  shape: { type: "named", name: "data" },
  encode(w, value) {
    const entry = BY_TYPE.get(value.type);
    if (entry === undefined) throw new DlmsError("unknown-value", `"${value.type}" is no type of COSEM data`);
    w.unsigned8(entry.tag);
    entry.codec.encode(w, value.value);
  },
  decode(r) {
    const tag = r.unsigned8();
    const entry = BY_TAG[tag];
    if (entry === undefined) return unknownDataTag(r, tag);
    return { type: entry.type, value: entry.codec.decode(r) } as Data;
  },
};

/** The name of a tag octet, or undefined where it is none. */
export function dataTypeOf(tag: number): DataType | undefined {
  return BY_TAG[tag]?.type;
}

function unknownDataTag(r: Reader, tag: number): never {
  return r.fail("unknown-tag", `0x${tag.toString(16).padStart(2, "0")} is no type of COSEM data`, r.offset - 1);
}

const noContent: Codec<null> = {
  shape: { type: "nothing" },
  encode: () => {},
  decode: () => null,
};

/** VisibleString: Latin-1 in practice, see `Data`. */
export const visibleString: Codec<string> = {
  shape: { type: "text", charset: "ascii" },
  encode(w, value) {
    w.length(value.length);
    w.latin1(value);
  },
  decode: (r) => r.latin1(r.length()),
};

const items: Codec<readonly Data[]> = {
  shape: { type: "sequence", of: { type: "named", name: "data" } },
  encode(w, values) {
    w.length(values.length);
    let at = 0;
    try {
      for (; at < values.length; at += 1) data.encode(w, values[at]!);
    } catch (error) {
      throw within(error, at);
    }
  },
  decode(r) {
    const count = r.elements();
    r.enter();
    const values = decodeElements(r, data, count);
    r.leave();
    return values;
  },
};

const CONTENTS: Readonly<Record<DataType, Codec<unknown>>> = {
  "null-data": noContent,
  array: items,
  structure: items,
  boolean,
  "bit-string": bitStringOctets,
  "double-long": integer32,
  "double-long-unsigned": unsigned32,
  "octet-string": bytes(),
  "visible-string": visibleString,
  "utf8-string": utf8(),
  bcd: integer8,
  integer: integer8,
  long: integer16,
  unsigned: unsigned8,
  "long-unsigned": unsigned16,
  "compact-array": compactArrayOf((type) => BY_TYPE.get(type)!),
  long64: integer64,
  "long64-unsigned": unsigned64,
  enum: unsigned8,
  float32,
  float64,
  "date-time": dateTimeOctets,
  date: dateOctets,
  time: timeOctets,
  "delta-integer": integer8,
  "delta-long": integer16,
  "delta-double-long": integer32,
  "delta-unsigned": unsigned8,
  "delta-long-unsigned": unsigned16,
  "delta-double-long-unsigned": unsigned32,
  "dont-care": noContent,
};

interface Entry {
  readonly type: DataType;
  readonly tag: number;
  readonly codec: Codec<unknown>;
}

const ENTRIES = Object.entries(DATA_TAGS).map(
  ([type, tag]): Entry => ({ type: type as DataType, tag, codec: CONTENTS[type as DataType] }),
);
const BY_TYPE = new Map<string, Entry>(ENTRIES.map((entry) => [entry.type, entry]));
const BY_TAG: (Entry | undefined)[] = Array.from({ length: 256 }, (_, tag) => ENTRIES.find((one) => one.tag === tag));
