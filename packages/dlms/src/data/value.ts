import type { BitString } from "./bit-string.ts";
import type { CosemDate, CosemTime, DateTime } from "./date-time.ts";

/** The tag octets of COSEM Data (Green Book 9.5, Data ::= CHOICE). */
export const DATA_TAGS = {
  "null-data": 0,
  array: 1,
  structure: 2,
  boolean: 3,
  "bit-string": 4,
  "double-long": 5,
  "double-long-unsigned": 6,
  "octet-string": 9,
  "visible-string": 10,
  "utf8-string": 12,
  bcd: 13,
  integer: 15,
  long: 16,
  unsigned: 17,
  "long-unsigned": 18,
  "compact-array": 19,
  long64: 20,
  "long64-unsigned": 21,
  enum: 22,
  float32: 23,
  float64: 24,
  "date-time": 25,
  date: 26,
  time: 27,
  "delta-integer": 28,
  "delta-long": 29,
  "delta-double-long": 30,
  "delta-unsigned": 31,
  "delta-long-unsigned": 32,
  "delta-double-long-unsigned": 33,
  "dont-care": 255,
} as const;

export type DataType = keyof typeof DATA_TAGS;

type NumberType =
  | "double-long"
  | "double-long-unsigned"
  | "bcd"
  | "integer"
  | "long"
  | "unsigned"
  | "long-unsigned"
  | "enum"
  | "float32"
  | "float64"
  | "delta-integer"
  | "delta-long"
  | "delta-double-long"
  | "delta-unsigned"
  | "delta-long-unsigned"
  | "delta-double-long-unsigned";

/**
 * What a compact-array item looks like (TypeDescription): the name of a simple type, an array of a fixed number of
 * items, or a structure.
 */
export type TypeDescription =
  | Exclude<DataType, "array" | "structure" | "compact-array">
  | { readonly type: "array"; readonly count: number; readonly of: TypeDescription }
  | { readonly type: "structure"; readonly of: readonly TypeDescription[] };

/** Items of one type, whose description stands once before them. */
export interface CompactArray {
  readonly contents: TypeDescription;
  readonly items: readonly Data[];
}

type Item<Type extends DataType, Value> = { readonly type: Type; readonly value: Value };

/** A value of any COSEM type: `{ type: "long-unsigned", value: 230 }`. */
export type Data =
  | Item<"null-data", null>
  | Item<"dont-care", null>
  | Item<"array", readonly Data[]>
  | Item<"structure", readonly Data[]>
  | Item<"boolean", boolean>
  | Item<"bit-string", BitString>
  | { [Type in NumberType]: Item<Type, number> }[NumberType]
  | Item<"octet-string", Uint8Array>
  /** Octets above 127, which the standard does not allow and meters send, are read as Latin-1. */
  | Item<"visible-string", string>
  | Item<"utf8-string", string>
  | Item<"compact-array", CompactArray>
  | Item<"long64", bigint>
  | Item<"long64-unsigned", bigint>
  | Item<"date-time", DateTime>
  | Item<"date", CosemDate>
  | Item<"time", CosemTime>;

/** `null-data`, the value that says there is none. */
export const NULL_DATA: Data = Object.freeze({ type: "null-data", value: null });
