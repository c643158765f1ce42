import type { Codec } from "../codec/codec.ts";
import type { FlagBits } from "../codec/flags.ts";
import { lengthPrefixed } from "../codec/mapped.ts";
import {
  boolean,
  bytes,
  fixedBytes,
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
import { bitStringOctets } from "./bit-string.ts";
import { data, visibleString } from "./data.ts";
import { dateOctets, dateTimeOctets, timeOctets } from "./date-time.ts";
import {
  array,
  bitFlags,
  bits,
  choice,
  type DataCodec,
  enumeration,
  map,
  nullable,
  openEnumeration,
  peekTag,
  structure,
  tagged,
  wrongType,
} from "./typed.ts";
import { DATA_TAGS, type Data, type DataType } from "./value.ts";

const enumNumber = tagged("enum", unsigned8);

/** An octet-string that holds exactly one value of `content`. */
function octetsHolding<T>(content: Codec<T>): DataCodec<T> {
  return tagged("octet-string", lengthPrefixed(content));
}

/** Written as an octet-string, as attributes of type date-time are; the tagged type is read as well. */
function calendar<T>(type: DataType, content: Codec<T>): DataCodec<T> {
  const plain = octetsHolding(content);
  const own = tagged(type, content);
  return {
    ...plain,
    tags: [...plain.tags, ...own.tags],
    decode: (r) => (peekTag(r) === DATA_TAGS[type] ? own : plain).decode(r),
  };
}

const anyData: DataCodec<Data> = { ...data, tags: Object.values(DATA_TAGS) };

const WHOLE_NUMBERS = ["integer", "long", "double-long", "unsigned", "long-unsigned", "double-long-unsigned"] as const;
const LONG_64 = ["long64", "long64-unsigned"] as const;
const FLOATS = ["float32", "float64"] as const;

/** Any number: written as the smallest whole-number type that holds it, else as float64. */
const anyNumber: DataCodec<number | bigint> = {
  tags: [...WHOLE_NUMBERS, "enum" as const, ...LONG_64, ...FLOATS].map((type) => DATA_TAGS[type]),
  shape: { type: "mapped", name: "number", of: data.shape },
  encode(w, value) {
    data.encode(w, numberAsData(value));
  },
  decode(r) {
    if (!anyNumber.tags.includes(peekTag(r))) return wrongType(r, "a number");
    return data.decode(r).value as number | bigint;
  },
};

function numberAsData(value: number | bigint): Data {
  if (typeof value === "bigint") return { type: value < 0n ? "long64" : "long64-unsigned", value };
  if (!Number.isInteger(value) || value < -0x80000000 || value > 0xffffffff) return { type: "float64", value };
  if (value < -0x8000) return { type: "double-long", value };
  if (value < -0x80) return { type: "long", value };
  if (value < 0) return { type: "integer", value };
  if (value <= 0xff) return { type: "unsigned", value };
  return { type: value <= 0xffff ? "long-unsigned" : "double-long-unsigned", value };
}

/**
 * Typed COSEM Data: each reads and writes Data as it stands on the wire and gives plain values.
 *
 * ```ts
 * const scalerUnit = d.structure({ scaler: d.integer, unit: d.enum });
 * decode(scalerUnit, fromHex("02020fff161b"));       // { scaler: -1, unit: 27 }
 * ```
 */
export const d = {
  /** Any Data, as `{ type, value }`. */
  any: anyData,
  null: tagged<null>("null-data", { shape: { type: "nothing" }, encode: () => {}, decode: () => null }),
  boolean: tagged("boolean", boolean),
  bitString: tagged("bit-string", bitStringOctets),
  doubleLong: tagged("double-long", integer32),
  doubleLongUnsigned: tagged("double-long-unsigned", unsigned32),
  octetString: tagged("octet-string", bytes()),
  /** An octet-string of exactly `length` octets. */
  fixedOctetString: (length: number): DataCodec<Uint8Array> => octetsHolding(fixedBytes(length)),
  octetsHolding,
  visibleString: tagged("visible-string", visibleString),
  utf8String: tagged("utf8-string", utf8()),
  bcd: tagged("bcd", integer8),
  integer: tagged("integer", integer8),
  long: tagged("long", integer16),
  unsigned: tagged("unsigned", unsigned8),
  longUnsigned: tagged("long-unsigned", unsigned16),
  long64: tagged("long64", integer64),
  long64Unsigned: tagged("long64-unsigned", unsigned64),
  /** An `enum` as its number. */
  enum: enumNumber,
  float32: tagged("float32", float32),
  float64: tagged("float64", float64),
  /** 12 octets in an octet-string. */
  dateTime: calendar("date-time", dateTimeOctets),
  /** 5 octets in an octet-string. */
  date: calendar("date", dateOctets),
  /** 4 octets in an octet-string. */
  time: calendar("time", timeOctets),
  number: anyNumber,
  enumeration,
  openEnumeration,
  /** Bits of an `enum`, or of `carrier`, as the list of the names set; bit 0 is the least significant. */
  bits: <const B extends FlagBits>(names: B, carrier: DataCodec<number> = enumNumber) => bits(names, carrier),
  bitFlags,
  structure,
  array,
  choice,
  nullable,
  map,
  tagged,
} as const;
