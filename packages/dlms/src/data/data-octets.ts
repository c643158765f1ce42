import type { Codec } from "../codec/codec.ts";
import { MAX_DEPTH, Reader } from "../codec/reader.ts";
import { DATA_TAGS } from "./value.ts";

/**
 * One Data value as the octets it has, tag included: a view. What carries Data from one place to another reads and writes
 * it so, without a tree in between. Structure, lengths, depth and counts are checked; texts and numbers are not.
 */
export const dataOctets: Codec<Uint8Array> = {
  shape: { type: "named", name: "data" },
  encode: (w, value) => w.octets(value),
  decode(r) {
    const start = r.offset;
    skipData(r);
    return r.bytes.subarray(start, r.offset);
  },
};

const LENGTH_BEFORE = -1;
const NOT_SIMPLE = -2;
/** Octets of content by tag; -1 for those whose length stands before them, -2 for what is no simple type. */
const CONTENT_BYTES = contentBytes();
function contentBytes(): Int8Array {
  const sizes = new Int8Array(256).fill(NOT_SIMPLE);
  const fixed: readonly (readonly [bytes: number, tags: readonly number[]])[] = [
    [0, [DATA_TAGS["null-data"], DATA_TAGS["dont-care"]]],
    [1, [DATA_TAGS.boolean, DATA_TAGS.bcd, DATA_TAGS.integer, DATA_TAGS.unsigned, DATA_TAGS.enum]],
    [1, [DATA_TAGS["delta-integer"], DATA_TAGS["delta-unsigned"]]],
    [2, [DATA_TAGS.long, DATA_TAGS["long-unsigned"], DATA_TAGS["delta-long"], DATA_TAGS["delta-long-unsigned"]]],
    [4, [DATA_TAGS["double-long"], DATA_TAGS["double-long-unsigned"], DATA_TAGS.float32, DATA_TAGS.time]],
    [4, [DATA_TAGS["delta-double-long"], DATA_TAGS["delta-double-long-unsigned"]]],
    [5, [DATA_TAGS.date]],
    [8, [DATA_TAGS.long64, DATA_TAGS["long64-unsigned"], DATA_TAGS.float64]],
    [12, [DATA_TAGS["date-time"]]],
    [LENGTH_BEFORE, [DATA_TAGS["octet-string"], DATA_TAGS["visible-string"], DATA_TAGS["utf8-string"]]],
  ];
  for (const [bytes, tags] of fixed) for (const tag of tags) sizes[tag] = bytes;
  return sizes;
}

/** The elements of one structure or array, each as encoded Data: views. @throws DecodeError */
export function elementsOf(octets: Uint8Array): readonly Uint8Array[] {
  const r = new Reader(octets);
  const tag = r.unsigned8();
  if (tag !== DATA_TAGS.structure && tag !== DATA_TAGS.array)
    r.fail("wrong-type", "neither a structure nor an array", 0);
  const elements = Array.from({ length: r.elements() }, () => dataOctets.decode(r));
  if (r.remaining > 0) r.fail("trailing-bytes", `${r.remaining} octets after the value`);
  return elements;
}

/** Moves past one Data value. @throws DecodeError as decoding it would, save for what its texts and numbers say. */
export function skipData(r: Reader): void {
  // Values still to come on each level: a stack instead of recursion, since this runs for every row of a profile.
  const left = new Int32Array(MAX_DEPTH + 1);
  let depth = 0;
  left[0] = 1;
  for (;;) {
    while (left[depth] === 0) {
      if (depth === 0) return;
      depth -= 1;
    }
    left[depth] = (left[depth] as number) - 1;
    const tag = r.unsigned8();
    const bytes = CONTENT_BYTES[tag] as number;
    if (bytes >= 0) r.take(bytes);
    else if (bytes === LENGTH_BEFORE) r.take(r.length());
    else if (tag === DATA_TAGS.array || tag === DATA_TAGS.structure) {
      const count = r.elements();
      if (depth === MAX_DEPTH) r.fail("too-deep", `more than ${MAX_DEPTH} levels`);
      depth += 1;
      left[depth] = count;
    } else if (tag === DATA_TAGS["bit-string"]) r.take(Math.ceil(r.count() / 8));
    else if (tag === DATA_TAGS["compact-array"]) {
      skipDescription(r, 0);
      r.take(r.length());
    } else r.fail("unknown-tag", `0x${tag.toString(16).padStart(2, "0")} is no type of COSEM data`, r.offset - 1);
  }
}

function skipDescription(r: Reader, depth: number): void {
  const tag = r.unsigned8();
  if (tag !== DATA_TAGS.array && tag !== DATA_TAGS.structure) return;
  if (depth === MAX_DEPTH) r.fail("too-deep", `more than ${MAX_DEPTH} levels`);
  if (tag === DATA_TAGS.array) {
    r.take(2);
    skipDescription(r, depth + 1);
    return;
  }
  for (let fields = r.elements(); fields > 0; fields -= 1) skipDescription(r, depth + 1);
}
