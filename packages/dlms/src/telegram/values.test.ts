import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex } from "../bytes.ts";
import { obis } from "../obis/code.ts";
import { doubtOf, readDateTime, timeText } from "./clock.ts";
import { weaknessOf } from "./key-hygiene.ts";
import { readP1Body } from "./p1-body.ts";
import { float32InDecimal, scaled } from "./scaling.ts";
import { parseSelector } from "./selector.ts";
import { plainValue } from "./value.ts";

test("scaling leaves no dust", () => {
  assert.equal(scaled(2345, -1), 234.5);
  assert.equal(scaled(7, -2), 0.07);
  assert.equal(scaled(-3, -3), -0.003);
  assert.equal(scaled(12767600, 1), 127676000);
  assert.equal(scaled(10955402n, 1), 109554020);
  assert.equal(scaled(0, -2), 0);
});

test("what no double holds is decimal text", () => {
  assert.equal(scaled(18446744073709551615n, 0), "18446744073709551615");
  assert.equal(scaled(18446744073709551615n, -3), "18446744073709551.615");
  assert.equal(scaled(-9223372036854775808n, 2), "-922337203685477580800");
  assert.equal(scaled(1000000000000000000n, -18), "1");
});

test("scaled numbers print as the moved decimal point", () => {
  fc.assert(
    fc.property(fc.integer({ min: -99_999_999, max: 99_999_999 }), fc.integer({ min: -6, max: 0 }), (raw, scaler) => {
      const digits = String(Math.abs(raw)).padStart(1 - scaler, "0");
      const cut = digits.length + scaler;
      const fraction = digits.slice(cut).replace(/0+$/, "");
      const text = `${raw < 0 ? "-" : ""}${digits.slice(0, cut)}${fraction === "" ? "" : `.${fraction}`}`;
      assert.equal(String(scaled(raw, scaler)), text === "-0" ? "0" : text);
    }),
    { numRuns: 300 },
  );
});

test("a float of 32 bits is shown as short as it was meant", () => {
  assert.equal(float32InDecimal(Math.fround(230.1)), 230.1);
  assert.equal(float32InDecimal(Math.fround(0.1)), 0.1);
  assert.equal(float32InDecimal(Math.fround(16777217)), 16777216);
  assert.equal(float32InDecimal(Number.NaN), Number.NaN);
});

test("octet strings are text, times or hex", () => {
  const shown = (hex: string) => plainValue({ type: "octet-string", value: fromHex(hex) });
  assert.equal(shown("3330313337313831"), "30137181");
  assert.equal(shown("07e7031c02130b14ff800000"), "2023-03-28T19:11:20");
  assert.equal(shown("0008190900ff"), "0008190900ff");
  assert.equal(shown(""), "");
  assert.equal(shown("ffffffffffffffffffffffff"), "ffffffffffffffffffffffff");
});

test("times carry their offset where the meter tells it, and clocks their doubt", () => {
  const at = (hex: string) => {
    const value = readDateTime(fromHex(hex));
    assert.ok(value !== undefined);
    return value;
  };
  assert.equal(timeText(at("07e5091b01092f0f00ff8880")), "2021-09-27T09:47:15+02:00");
  assert.equal(timeText(at("07e5091b01092f0f00ffc400")), "2021-09-27T09:47:15+01:00");
  assert.equal(timeText(at("07e5091b01092f0f00012c00")), "2021-09-27T09:47:15-05:00");
  assert.equal(timeText(at("07e5091b01092f0fff800000")), "2021-09-27T09:47:15");
  assert.equal(doubtOf(at("07e5091b01092f0fff800000")), undefined);
  assert.match(doubtOf(at("07e5091b01092f0fff800081")) ?? "", /invalid/);
  assert.match(doubtOf(at("07e5091b01092f0fff800082")) ?? "", /doubtful/);
  assert.match(doubtOf(at("07d0010101000000ff800000")) ?? "", /2000/);
});

test("keys found in the field are known to be weak", () => {
  const weak = [
    "00".repeat(16),
    "ab".repeat(16),
    "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
    "0f0e0d0c0b0a09080706050403020100",
  ];
  for (const key of [...weak, "34743677397a24432646294a404e6352"])
    assert.notEqual(weaknessOf(fromHex(key)), undefined, key);
  assert.equal(weaknessOf(fromHex("5ad84121d9d20b364b7a11f3c1b5827f")), undefined);
});

test("selectors open groups and name alternatives", () => {
  const selects = parseSelector("1-*:1|2.8.*");
  assert.equal(selects?.(obis("1-1:2.8.4")), true);
  assert.equal(selects?.(obis("1-0:3.8.0")), false);
  assert.equal(selects?.(obis("0-0:1.8.0")), false);
  for (const bad of ["", "1-0:1.8", "1-0:x.8.0", "1-0:1|.8.0"]) assert.equal(parseSelector(bad), undefined, bad);
});

test("P1 lines: units as sent, text without one, M-Bus values with their own time, odd lines raw", () => {
  const body = readP1Body(
    "/ABC5x\r\n\r\n0-0:1.0.0(230817152425S)\r\n1-0:1.8.1(000031.250*kWh)\r\n1-0:3.7.0(00.007)\r\n0-0:96.13.0()\r\n" +
      "0-1:24.2.1(230817150000S)(00012.345*m3)\r\n1-0:99.97.0(1)(0-0:96.7.19)(230101000000W)(0000000240*s)\r\n1.8.0(5*kWh)\r\nC.1.0(77)\r\n!\r\n",
  );
  assert.equal(body.identification, "ABC5x");
  assert.deepEqual(
    body.readings.map(({ obis: code, value, unit, time }) => [code, value, unit, time]),
    [
      ["0-0:1.0.0", "230817152425S", null, "2023-08-17T15:24:25"],
      ["1-0:1.8.1", 31.25, "kWh", "2023-08-17T15:24:25"],
      ["1-0:3.7.0", "00.007", null, "2023-08-17T15:24:25"],
      ["0-0:96.13.0", "", null, "2023-08-17T15:24:25"],
      ["0-1:24.2.1", 12.345, "m3", "2023-08-17T15:00:00"],
      ["1-0:99.97.0", "(1)(0-0:96.7.19)(230101000000W)(0000000240*s)", null, "2023-08-17T15:24:25"],
      ["1-0:1.8.0", 5, "kWh", "2023-08-17T15:24:25"],
    ],
  );
  assert.deepEqual(body.raw, [{ path: "line 9", type: "text", value: "C.1.0(77)" }]);
  assert.deepEqual([...new Set(body.readings.map(({ season }) => season))], ["summer"]);
});

test("P1 says summer or winter time: the hour that comes twice in autumn is told apart, and what says neither has neither", () => {
  const of = (clock: string) => {
    const { readings } = readP1Body(
      `/ABC5x\r\n\r\n0-0:1.0.0(${clock})\r\n0-1:24.2.1(261025020000S)(00012.345*m3)\r\n!\r\n`,
    );
    return readings.map((one) => [one.time, one.season]);
  };
  assert.deepEqual(of("261025023000W"), [
    ["2026-10-25T02:30:00", "winter"],
    ["2026-10-25T02:00:00", "summer"],
  ]);
  assert.deepEqual(of("261025023000")[0], ["2026-10-25T02:30:00", undefined]);
  assert.deepEqual(of("20261025 02:30:00")[0], ["2026-10-25T02:30:00", undefined]);
});
