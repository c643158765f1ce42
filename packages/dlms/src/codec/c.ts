import { choice } from "./choice.ts";
import { constant, enumeration, openEnumeration } from "./enumeration.ts";
import { flags } from "./flags.ts";
import { brand, lazy, lengthPrefixed, map } from "./mapped.ts";
import {
  ascii,
  boolean,
  bytes,
  fixedBytes,
  float32,
  float64,
  integer8,
  integer16,
  integer32,
  integer64,
  nothing,
  restBytes,
  unsigned8,
  unsigned16,
  unsigned32,
  unsigned64,
  utf8,
} from "./scalars.ts";
import { sequenceOf } from "./sequence.ts";
import { optional, struct, withDefault } from "./struct.ts";

/**
 * The combinators wire formats are declared with: A-XDR (IEC 61334-6) as DLMS uses it, and anything else that is
 * big-endian and length-prefixed.
 *
 * ```ts
 * const greeting = c.struct({ version: c.unsigned8, name: c.utf8({ max: 64 }), tags: c.sequenceOf(c.ascii()) });
 * type Greeting = Infer<typeof greeting>;
 * const octets = encode(greeting, { version: 1, name: "Ada", tags: [] });
 * ```
 */
export const c = {
  unsigned8,
  unsigned16,
  unsigned32,
  unsigned64,
  integer8,
  integer16,
  integer32,
  integer64,
  float32,
  float64,
  boolean,
  nothing,
  bytes,
  fixedBytes,
  restBytes,
  utf8,
  ascii,
  struct,
  optional,
  withDefault,
  choice,
  enumeration,
  openEnumeration,
  flags,
  constant,
  sequenceOf,
  lengthPrefixed,
  map,
  brand,
  lazy,
} as const;
