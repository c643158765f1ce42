import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bitString } from "../data/bit-string.ts";
import type { Data, TypeDescription } from "../data/value.ts";
import { conformanceOf } from "../xdlms/conformance.ts";
import { c } from "./c.ts";
import { type Codec, decode, encode } from "./codec.ts";
import type { Shape } from "./shape.ts";

type Any = fc.Arbitrary<unknown>;

const octets = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });

/** Values that a codec of this shape can write: every property test of a codec starts here. */
export function arbitraryFor(shape: Shape): Any {
  switch (shape.type) {
    case "unsigned":
      return shape.bytes === 8
        ? fc.bigInt(0n, 2n ** 64n - 1n)
        : fc.integer({ min: 0, max: 2 ** (8 * shape.bytes) - 1 });
    case "integer": {
      if (shape.bytes === 8) return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
      const half = 2 ** (8 * shape.bytes - 1);
      return fc.integer({ min: -half, max: half - 1 });
    }
    case "float":
      return shape.bytes === 4 ? fc.float() : fc.double();
    case "boolean":
      return fc.boolean();
    case "nothing":
      return fc.constant(undefined);
    case "bytes":
      return shape.length === undefined
        ? octets(0, Math.min(shape.max ?? 200, 200))
        : octets(shape.length, shape.length);
    case "text":
      return shape.charset === "utf8"
        ? fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => text.isWellFormed())
        : fc.string({ unit: "grapheme-ascii", maxLength: shape.max ?? 20 });
    case "constant":
      return fc.constant(shape.value);
    case "enumeration":
      return fc.constantFrom(...Object.keys(shape.values));
    case "flags":
      return fc.subarray(Object.keys(shape.bits));
    case "optional":
      return fc.option(arbitraryFor(shape.of), { nil: undefined });
    case "nullable":
      return fc.option(arbitraryFor(shape.of), { nil: null });
    case "default":
      return fc.oneof(fc.constant(shape.value), arbitraryFor(shape.of));
    case "sequence":
      return fc.array(arbitraryFor(shape.of), { maxLength: Math.min(shape.max ?? 5, 5) });
    case "struct":
      return structOf(shape.fields);
    case "choice":
      return fc.oneof(
        ...shape.variants.map(({ kind, shape: variant }) =>
          arbitraryFor(variant).map((value) => (value === undefined ? { kind } : { kind, value })),
        ),
      );
    case "tagged":
    case "framed":
      return arbitraryFor(shape.of);
    case "mapped":
    case "named": {
      const known = KNOWN[shape.name];
      if (known === undefined) throw new Error(`no arbitrary for "${shape.name}": add one to KNOWN`);
      return known();
    }
    default:
      return shape satisfies never;
  }
}

/** A property: what is written is read back, to the last octet, for any value of the codec's shape. */
export function assertRoundTrip<T>(codec: Codec<T>, numRuns = 200): void {
  fc.assert(
    fc.property(arbitraryFor(codec.shape), (value) => {
      const bytes = encode(codec, value as T);
      assert.deepEqual(decode(codec, bytes), value);
    }),
    { numRuns },
  );
}

function structOf(fields: readonly { readonly name: string; readonly shape: Shape }[]): Any {
  const parts = Object.fromEntries(fields.map(({ name, shape }) => [name, arbitraryFor(shape)]));
  return fc
    .record(parts, { noNullPrototype: true })
    .map((value) => Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)));
}

const unsigned = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
const unspecified = (max: number): fc.Arbitrary<number | undefined> => fc.option(unsigned(max), { nil: undefined });

const date = {
  year: unspecified(0xfffe),
  month: unspecified(0xfe),
  dayOfMonth: unspecified(0xfe),
  dayOfWeek: unspecified(0xfe),
};
const time = {
  hour: unspecified(0xfe),
  minute: unspecified(0xfe),
  second: unspecified(0xfe),
  hundredths: unspecified(0xfe),
};
const deviation = fc.option(fc.integer({ min: -0x7fff, max: 0x7fff }), { nil: undefined });
const record = (parts: Record<string, Any>): Any => fc.record(parts, { noNullPrototype: true });
const dateTime = record({ ...date, ...time, deviation, status: unspecified(0xfe) });
const bits = fc.string({ unit: fc.constantFrom("0", "1"), maxLength: 40 }).map(bitString);

/** Arbitraries of what the shape only names. */
const KNOWN: Readonly<Record<string, () => Any>> = {
  data: () => arbitraryData,
  "date-time": () => dateTime,
  "empty-or-date-time": () => fc.option(dateTime, { nil: undefined }),
  date: () => record(date),
  time: () => record(time),
  "bit-string": () => bits,
  "compact-array": () => compactArray,
  "invoke-id-and-priority": () =>
    record({ invokeId: unsigned(15), confirmed: fc.boolean(), highPriority: fc.boolean() }),
  "long-invoke-id-and-priority": () =>
    record({
      invokeId: unsigned(0x0fffffff),
      selfDescriptive: fc.boolean(),
      breakOnError: fc.boolean(),
      confirmed: fc.boolean(),
      highPriority: fc.boolean(),
    }),
  conformance: () => octets(3, 3).map(conformanceOf),
  "security control": () =>
    record({
      suite: unsigned(15),
      authenticated: fc.boolean(),
      encrypted: fc.boolean(),
      broadcast: fc.boolean(),
      compressed: fc.boolean(),
    }),
  "block-control": () => record({ lastBlock: fc.boolean(), streaming: fc.boolean(), window: unsigned(63) }),
  "application context name": () => fc.constantFrom("logical-name", "short-name-ciphered", 99),
  "mechanism name": () => fc.constantFrom("lowest", "high-gmac", 200),
  "one bit": () => fc.boolean(),
  "logical name": () => octets(6, 6).map((name) => name.join(".")),
  "short name": () => unsigned(0xffff),
  "called or not": () => unsigned(1),
  "call mode": () => unsigned(255),
  "integer (0)": () => fc.constant(undefined),
  number: () => fc.oneof(fc.integer(), fc.constantFrom(0.5, 70_000, -129)),
  even: () => unsigned(100).map((half) => half * 2),
};

const simple = fc.oneof(
  fc.constant({ type: "null-data", value: null }),
  fc.constant({ type: "dont-care", value: null }),
  fc.boolean().map((value) => ({ type: "boolean", value })),
  fc.record(
    { type: fc.constantFrom("unsigned", "enum", "delta-unsigned"), value: unsigned(255) },
    { noNullPrototype: true },
  ),
  fc.record(
    { type: fc.constantFrom("long", "delta-long"), value: fc.integer({ min: -32768, max: 32767 }) },
    { noNullPrototype: true },
  ),
  fc.record({ type: fc.constant("double-long-unsigned"), value: unsigned(0xffffffff) }, { noNullPrototype: true }),
  fc.record({ type: fc.constant("long64"), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) }, { noNullPrototype: true }),
  fc.record({ type: fc.constant("float64"), value: fc.double() }, { noNullPrototype: true }),
  octets(0, 150).map((value) => ({ type: "octet-string", value })),
  fc.string({ unit: "binary-ascii", maxLength: 20 }).map((value) => ({ type: "visible-string", value })),
  fc.string({ unit: "grapheme", maxLength: 20 }).map((value) => ({ type: "utf8-string", value })),
  bits.map((value) => ({ type: "bit-string", value })),
  dateTime.map((value) => ({ type: "date-time", value })),
);

const description: fc.Arbitrary<TypeDescription> = fc.letrec<{ one: TypeDescription }>((tie) => ({
  one: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom<TypeDescription>("unsigned", "long", "octet-string", "boolean"),
    fc.record(
      { type: fc.constant("array" as const), count: fc.integer({ min: 1, max: 3 }), of: tie("one") },
      { noNullPrototype: true },
    ),
    fc.record(
      { type: fc.constant("structure" as const), of: fc.array(tie("one"), { minLength: 1, maxLength: 3 }) },
      { noNullPrototype: true },
    ),
  ),
})).one;

function itemOf(of: TypeDescription): fc.Arbitrary<Data> {
  switch (typeof of === "string" ? of : of.type) {
    case "unsigned":
      return unsigned(255).map((value) => ({ type: "unsigned", value }));
    case "long":
      return fc.integer({ min: -32768, max: 32767 }).map((value) => ({ type: "long", value }));
    case "boolean":
      return fc.boolean().map((value) => ({ type: "boolean", value }));
    case "octet-string":
      return octets(0, 5).map((value) => ({ type: "octet-string", value }));
    default: {
      const nested = of as Exclude<TypeDescription, string>;
      if (nested.type === "structure")
        return fc.tuple(...nested.of.map(itemOf)).map((value) => ({ type: "structure", value }));
      const { count } = nested;
      return fc
        .array(itemOf(nested.of), { minLength: count, maxLength: count })
        .map((value) => ({ type: "array", value }));
    }
  }
}

const compactArray = description.chain((contents) =>
  fc.record(
    { contents: fc.constant(contents), items: fc.array(itemOf(contents), { maxLength: 4 }) },
    { noNullPrototype: true },
  ),
);

const arbitraryData = fc.letrec<{ data: unknown }>((tie) => ({
  data: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    simple,
    fc.record(
      { type: fc.constantFrom("array", "structure"), value: fc.array(tie("data"), { maxLength: 4 }) },
      { noNullPrototype: true },
    ),
    compactArray.map((value) => ({ type: "compact-array", value })),
  ),
})).data;

test("a codec of every combinator reads back what it wrote", () => {
  assertRoundTrip(
    c.struct({
      numbers: c.struct({
        a: c.unsigned8,
        b: c.integer16,
        c: c.unsigned32,
        d: c.integer64,
        e: c.unsigned64,
        f: c.integer8,
      }),
      real: c.struct({ single: c.float32, double: c.float64 }),
      octets: c.bytes({ max: 300 }),
      address: c.fixedBytes(6),
      name: c.optional(c.utf8()),
      code: c.ascii({ max: 8 }),
      mode: c.enumeration({ off: 0, on: 1 }),
      rights: c.flags({ read: 0, write: 7 }, c.unsigned8),
      version: c.constant(6, c.unsigned8),
      allowed: c.withDefault(c.boolean, true),
      list: c.sequenceOf(c.choice({ none: [0, c.nothing], some: [1, c.lengthPrefixed(c.utf8())] }), { max: 9 }),
      even: c.map("even", c.unsigned8, { decode: (wire) => wire * 2, encode: (value) => value / 2 }),
    }),
  );
});
