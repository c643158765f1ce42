import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { decode, decodeFirst, encode, type Infer } from "../codec/codec.ts";
import { d } from "./d.ts";
import { data } from "./data.ts";
import { dateTime, dateTimeAt, dateTimeOctets, instantOf } from "./date-time.ts";
import type { Data } from "./value.ts";

/** One of each type, its octets written by hand from Green Book 9.5. */
const SAMPLES: readonly (readonly [hex: string, value: Data])[] = [
  ["00", { type: "null-data", value: null }],
  ["ff", { type: "dont-care", value: null }],
  [
    "01021101110a",
    {
      type: "array",
      value: [
        { type: "unsigned", value: 1 },
        { type: "unsigned", value: 10 },
      ],
    },
  ],
  ["020112ffff", { type: "structure", value: [{ type: "long-unsigned", value: 65535 }] }],
  ["0301", { type: "boolean", value: true }],
  ["0403a0", { type: "bit-string", value: { length: 3, bytes: fromHex("a0") } }],
  ["05fffffffe", { type: "double-long", value: -2 }],
  ["06fffffffe", { type: "double-long-unsigned", value: 4294967294 }],
  ["0902abcd", { type: "octet-string", value: fromHex("abcd") }],
  ["0a036b57e9", { type: "visible-string", value: "kWé" }],
  ["0c03e282ac", { type: "utf8-string", value: "€" }],
  ["0d12", { type: "bcd", value: 0x12 }],
  ["0ffd", { type: "integer", value: -3 }],
  ["10fffd", { type: "long", value: -3 }],
  ["14ffffffffffffffff", { type: "long64", value: -1n }],
  ["15ffffffffffffffff", { type: "long64-unsigned", value: 18446744073709551615n }],
  ["161b", { type: "enum", value: 27 }],
  ["1741480000", { type: "float32", value: 12.5 }],
  ["184029000000000000", { type: "float64", value: 12.5 }],
  [
    "1907e5090b06090d1400ff8880",
    {
      type: "date-time",
      value: {
        year: 2021,
        month: 9,
        dayOfMonth: 11,
        dayOfWeek: 6,
        hour: 9,
        minute: 13,
        second: 20,
        hundredths: 0,
        deviation: -120,
        status: 0x80,
      },
    },
  ],
  ["1affff0102ff", { type: "date", value: { year: undefined, month: 1, dayOfMonth: 2, dayOfWeek: undefined } }],
  ["1b0c1effff", { type: "time", value: { hour: 12, minute: 30, second: undefined, hundredths: undefined } }],
  ["1cff", { type: "delta-integer", value: -1 }],
  ["21ffffffff", { type: "delta-double-long-unsigned", value: 4294967295 }],
  [
    "130202121106000101000202",
    {
      type: "compact-array",
      value: {
        contents: { type: "structure", of: ["long-unsigned", "unsigned"] },
        items: [
          {
            type: "structure",
            value: [
              { type: "long-unsigned", value: 1 },
              { type: "unsigned", value: 1 },
            ],
          },
          {
            type: "structure",
            value: [
              { type: "long-unsigned", value: 2 },
              { type: "unsigned", value: 2 },
            ],
          },
        ],
      },
    },
  ],
];

test("every type of COSEM data is read and written as the Green Book says", () => {
  for (const [hex, value] of SAMPLES) {
    assert.deepEqual(decode(data, fromHex(hex)), value);
    assert.equal(toHex(encode(data, value)), hex);
  }
});

test("data that does not end where it should is refused where it breaks", () => {
  assert.throws(() => decode(data, fromHex("0102")), { code: "too-many", offset: 1 });
  assert.throws(() => decode(data, fromHex("010211")), { code: "too-many" });
  assert.throws(() => decode(data, fromHex("0201060000")), { code: "truncated", path: "[0]" });
  assert.throws(() => decode(data, fromHex("02021101070000")), { code: "unknown-tag", path: "[1]", offset: 4 });
  assert.throws(() => decode(data, fromHex(`${"0101".repeat(17)}00`)), { code: "too-deep" });
});

test("a compact array whose description promises items without octets is refused", () => {
  assert.throws(() => decode(data, fromHex("1301ffff0002aabb")), { code: "too-many" });
  assert.throws(() => decode(data, fromHex("1301ffff01ffff01ffff0001aa")), { code: "too-many" });
});

test("the first data item can be taken and the tail left", () => {
  const { value, rest } = decodeFirst(data, fromHex("1105090f"));
  assert.deepEqual(value, { type: "unsigned", value: 5 });
  assert.equal(toHex(rest), "090f");
});

test("typed data goes straight to plain values", () => {
  const capture = d.structure({
    classId: d.longUnsigned,
    logicalName: d.fixedOctetString(6),
    attribute: d.integer,
    index: d.longUnsigned,
  });
  type Capture = Infer<typeof capture>;
  const value: Capture = { classId: 3, logicalName: fromHex("0100010800ff"), attribute: 2, index: 0 };
  const list = d.array(capture);
  const hex = "0101020412000309060100010800ff0f02120000";
  assert.deepEqual(decode(list, fromHex(hex)), [value]);
  assert.equal(toHex(encode(list, [value])), hex);
  assert.throws(() => decode(list, fromHex("01010203120003 09060100010800ff 0f0212000000")), {
    code: "wrong-length",
    path: "[0]",
    offset: 3,
  });
  assert.throws(() => decode(list, fromHex("0102020312000309060100010800ff0f02")), { code: "too-many" });
  assert.throws(() => decode(capture, fromHex("0204120003090501000108000f02120000")), {
    code: "truncated",
    path: "logicalName",
  });
  assert.throws(() => decode(capture, fromHex("0204110309060100010800ff0f02120000")), {
    code: "wrong-type",
    path: "classId",
    offset: 2,
  });
});

test("typed choices, nullables, enumerations and bits", () => {
  const when = d.choice({ at: d.dateTime, offset: d.long, none: d.null });
  assert.deepEqual(decode(when, fromHex("10fffe")), { kind: "offset", value: -2 });
  assert.equal(toHex(encode(when, { kind: "none", value: null })), "00");
  assert.throws(() => decode(when, fromHex("1101")), { code: "wrong-type", offset: 0 });

  assert.equal(decode(d.nullable(d.unsigned), fromHex("00")), null);
  assert.equal(decode(d.nullable(d.unsigned), fromHex("1107")), 7);

  const suite = d.enumeration({ suite0: 0, suite1: 1, suite2: 2 });
  assert.equal(decode(suite, fromHex("1601")), "suite1");
  assert.equal(toHex(encode(suite, "suite2")), "1602");

  const policy = d.bits({
    authenticatedRequest: 2,
    encryptedRequest: 3,
    authenticatedResponse: 5,
    encryptedResponse: 6,
  });
  assert.deepEqual(decode(policy, fromHex("160c")), ["authenticatedRequest", "encryptedRequest"]);
  assert.equal(toHex(encode(policy, ["authenticatedResponse"])), "1620");

  const bits = d.bitFlags({ read: 0, write: 9 }, 10);
  assert.equal(toHex(encode(bits, ["write"])), "040a0040");
  assert.deepEqual(decode(bits, fromHex("040a8000")), ["read"]);

  assert.equal(decode(d.number, fromHex("150000000000000005")), 5n);
  assert.equal(toHex(encode(d.number, -129)), "10ff7f");
  assert.throws(() => decode(d.number, fromHex("0901aa")), { code: "wrong-type" });
});

test("a date-time attribute is an octet-string, and the tagged type is read too", () => {
  const octets = "07e6030f02173b3b32ffc400";
  const value = dateTimeAt(Date.UTC(2022, 2, 15, 22, 59, 59, 500), -60);
  assert.equal(toHex(encode(d.dateTime, value)), `090c${octets}`);
  assert.deepEqual(decode(d.dateTime, fromHex(`090c${octets}`)), value);
  assert.deepEqual(decode(d.dateTime, fromHex(`19${octets}`)), value);
  assert.throws(() => decode(d.dateTime, fromHex(`090b${octets.slice(2)}`)), { code: "truncated" });
});

test("a moment is known only when date, time and deviation are", () => {
  const moment = Date.UTC(2022, 2, 15, 22, 59, 59, 500);
  for (const deviation of [-720, -60, 0, 330, 720]) assert.equal(instantOf(dateTimeAt(moment, deviation)), moment);
  const unspecified = decode(dateTimeOctets, fromHex("ffffffffffffffffff8000ff"));
  assert.deepEqual(unspecified, dateTime({}));
  assert.equal(toHex(encode(dateTimeOctets, unspecified)), "ffffffffffffffffff8000ff");
  assert.equal(instantOf(unspecified), undefined);
  const local = { ...dateTimeAt(moment), deviation: undefined };
  assert.equal(instantOf(local), undefined);
  assert.equal(instantOf(local, -60), moment - 3_600_000);
  assert.equal(instantOf({ ...dateTimeAt(moment), month: 2, dayOfMonth: 30 }), undefined);
  assert.equal(instantOf({ ...dateTimeAt(moment), hour: 24 }), undefined);
});
