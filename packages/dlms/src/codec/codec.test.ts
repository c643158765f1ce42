import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { DecodeError, DlmsError } from "../errors.ts";
import { c } from "./c.ts";
import { type Codec, decode, decodeFirst, encode, type Infer } from "./codec.ts";
import { Reader } from "./reader.ts";

const target = c.struct({ class: c.unsigned16, instance: c.fixedBytes(6), attribute: c.integer8 });
const request = c.struct({ id: c.unsigned8, target, access: c.optional(c.utf8()) });
type Request = Infer<typeof request>;

const example: Request = { id: 0x81, target: { class: 8, instance: fromHex("0000010000ff"), attribute: -2 } };

test("a struct is written field by field and read back", () => {
  assert.equal(toHex(encode(request, example)), "8100080000010000fffe00");
  assert.deepEqual(decode(request, encode(request, example)), example);
  assert.deepEqual(decode(request, encode(request, { ...example, access: "läuft" })), { ...example, access: "läuft" });
});

test("a truncated value names the field it stopped in", () => {
  assert.throws(
    () => decode(request, fromHex("8100080000")),
    (error) =>
      error instanceof DecodeError &&
      error.code === "truncated" &&
      error.path === "target.instance" &&
      error.offset === 3 &&
      error.message.startsWith("truncated at 3, target.instance"),
  );
});

test("trailing octets are refused, or ignored when asked, or returned", () => {
  const bytes = fromHex("07ff");
  assert.throws(() => decode(c.unsigned8, bytes), { code: "trailing-bytes", offset: 1 });
  assert.equal(decode(c.unsigned8, bytes, { trailing: "ignore" }), 7);
  assert.deepEqual(decodeFirst(c.unsigned8, bytes), { value: 7, rest: fromHex("ff") });
});

test("a value outside its range is refused instead of wrapping", () => {
  for (const [codec, value] of [
    [c.unsigned8, 256],
    [c.unsigned16, -1],
    [c.unsigned32, 2 ** 32],
    [c.integer8, 128],
    [c.integer16, 1.5],
    [c.integer32, Number.NaN],
  ] as const)
    assert.throws(() => encode(codec, value), { code: "out-of-range" });
  assert.throws(() => encode(c.unsigned64, -1n), { code: "out-of-range" });
  assert.throws(() => encode(c.integer64, 2n ** 63n), { code: "out-of-range" });
});

test("whole numbers keep their extremes", () => {
  for (const [codec, value, hex] of [
    [c.unsigned32, 0xffffffff, "ffffffff"],
    [c.integer32, -0x80000000, "80000000"],
    [c.integer16, -2, "fffe"],
    [c.unsigned16, 0xfffe, "fffe"],
  ] as const) {
    assert.equal(toHex(encode(codec, value)), hex);
    assert.equal(decode(codec, fromHex(hex)), value);
  }
  assert.equal(decode(c.unsigned64, fromHex("ffffffffffffffff")), 2n ** 64n - 1n);
  assert.equal(decode(c.integer64, fromHex("8000000000000000")), -(2n ** 63n));
});

test("a choice is a tag and a value, and an unknown tag is refused where it stands", () => {
  const answer = c.choice({ data: [0, c.bytes()], "access-result": [1, c.unsigned8], nothing: [2, c.nothing] });
  assert.equal(toHex(encode(answer, { kind: "access-result", value: 4 })), "0104");
  assert.deepEqual(decode(answer, fromHex("000103")), { kind: "data", value: fromHex("03") });
  assert.deepEqual(decode(answer, fromHex("02")), { kind: "nothing" });
  assert.throws(() => decode(answer, fromHex("0700")), { code: "unknown-tag", offset: 0 });
  assert.throws(() => decode(answer, fromHex("0005aa")), { code: "truncated", path: "data" });
});

test("two variants of a choice cannot share a tag", () => {
  assert.throws(() => c.choice({ one: [1, c.unsigned8], other: [1, c.bytes()] }), { code: "invalid-value" });
});

test("an enumeration speaks names, and only an open one lets numbers through", () => {
  const closed = c.enumeration({ suite0: 0, suite1: 1 });
  const open = c.openEnumeration({ success: 0, "object-undefined": 4 });
  assert.equal(decode(closed, fromHex("01")), "suite1");
  assert.throws(() => decode(closed, fromHex("02")), { code: "unknown-value", offset: 0 });
  assert.equal(decode(open, fromHex("04")), "object-undefined");
  assert.equal(decode(open, fromHex("63")), 99);
  assert.equal(toHex(encode(open, 99)), "63");
});

test("a sequence larger than the octets left is refused before anything is allocated", () => {
  const list = c.sequenceOf(c.unsigned32, { max: 1000 });
  assert.deepEqual(decode(list, encode(list, [1, 2, 3])), [1, 2, 3]);
  assert.throws(() => decode(list, fromHex("02000000010000")), { code: "too-many", offset: 0 });
  assert.throws(() => decode(c.sequenceOf(c.unsigned8), fromHex("84ffffffff00")), { code: "too-many" });
  assert.throws(() => decode(list, fromHex(`8203e9${"00".repeat(4004)}`)), { code: "too-many" });
  assert.throws(() => decode(c.sequenceOf(c.struct({ a: c.bytes() })), fromHex("020004")), {
    code: "truncated",
    path: "[1].a",
  });
  assert.throws(() => c.sequenceOf(c.nothing), DlmsError);
});

test("lengths above 127 take the long form, and longer forms than needed are read", () => {
  const long = new Uint8Array(300).fill(7);
  assert.equal(toHex(encode(c.bytes(), long)).slice(0, 8), "82012c07");
  assert.deepEqual(decode(c.bytes(), encode(c.bytes(), long)), long);
  assert.deepEqual(decode(c.bytes(), fromHex("820002aabb")), fromHex("aabb"));
  assert.throws(() => decode(c.bytes(), fromHex("80")), { code: "wrong-length" });
  assert.throws(() => decode(c.bytes(), fromHex("8500000000010a")), { code: "wrong-length" });
  assert.throws(() => decode(c.bytes({ max: 1 }), fromHex("02aabb")), { code: "wrong-length" });
});

test("a length-prefixed field holds one value and nothing else", () => {
  const wrapped = c.lengthPrefixed(c.sequenceOf(c.unsigned8));
  const many = Array.from({ length: 200 }, (_, at) => at);
  assert.equal(toHex(encode(wrapped, [1, 2])), "03020102");
  assert.deepEqual(decode(wrapped, encode(wrapped, many)), many);
  assert.throws(() => decode(wrapped, fromHex("0402010203")), { code: "trailing-bytes" });
});

test("default, constant, flags and mapped values", () => {
  const allowed = c.withDefault(c.boolean, true);
  assert.equal(toHex(encode(allowed, true)), "00");
  assert.equal(toHex(encode(allowed, false)), "0100");
  assert.equal(decode(allowed, fromHex("00")), true);
  assert.throws(() => decode(allowed, fromHex("02")), { code: "unknown-value" });

  const version = c.constant(6, c.unsigned8);
  assert.equal(decode(version, fromHex("06")), 6);
  assert.throws(() => decode(version, fromHex("05")), { code: "wrong-value", offset: 0 });

  const policy = c.flags({ authenticated: 2, encrypted: 3, top: 31 }, c.unsigned32);
  assert.deepEqual(decode(policy, fromHex("80000004")), ["authenticated", "top"]);
  assert.equal(toHex(encode(policy, ["encrypted", "top"])), "80000008");
  assert.throws(() => decode(policy, fromHex("00000001")), { code: "unknown-value" });

  const even = c.map("even number", c.unsigned8, {
    decode: (wire) => {
      if (wire % 2 === 1) throw new Error("odd");
      return wire / 2;
    },
    encode: (value) => value * 2,
  });
  assert.equal(decode(even, fromHex("04")), 2);
  assert.throws(() => decode(even, fromHex("05")), { code: "invalid-value", offset: 0 });
});

test("recursion ends at the depth limit", () => {
  type Nested = { readonly inside?: Nested | undefined };
  const nested: Codec<Nested> = c.lazy("nested", () => c.struct({ inside: c.optional(nested) }));
  assert.deepEqual(decode(nested, fromHex("0100")), { inside: {} });
  assert.throws(() => decode(nested, new Uint8Array(100).fill(1)), { code: "too-deep" });
});

test("malformed text is refused", () => {
  for (const hex of ["01ff", "02c080", "03eda080", "04f4908080", "02c3", "01c3"])
    assert.throws(() => decode(c.utf8(), fromHex(hex)), DecodeError);
  assert.throws(() => decode(c.ascii(), fromHex("0180")), { code: "bad-text", offset: 1 });
  assert.throws(() => encode(c.utf8(), "\ud800"), { code: "bad-text" });
  for (const text of ["", "kWh", "Zähler", "€", "🏠 and 𝄞"])
    assert.equal(decode(c.utf8(), encode(c.utf8(), text)), text);
});

test("octet strings are views into the input", () => {
  const input = fromHex("02aabb");
  const view = decode(c.bytes(), input);
  input[1] = 0xcc;
  assert.equal(toHex(view), "ccbb");
  assert.equal(new Reader(input).remaining, 3);
});
