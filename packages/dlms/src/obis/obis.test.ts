import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatObis, obis, obisFromOctets, obisOctets, parseObis } from "./code.ts";
import { quantityOf } from "./quantity.ts";
import { UNIT_SYMBOLS, unitNumber, unitSymbol } from "./unit.ts";
import { obisInWords } from "./words.ts";

test("every way of writing a code is read as the same code", () => {
  for (const text of ["1-0:1.8.0", "1-0:1.8.0.255", "1-0:1.8.0*255", "1.0.1.8.0.255", "1.8.0"])
    assert.deepEqual(parseObis(text), { a: 1, b: 0, c: 1, d: 8, e: 0, f: 255 }, text);
});

test("text that is no code is no code", () => {
  for (const text of ["", "1-0", "1-0:256.8.0", "C.1.0", "1-0:1.8.0.255.1", "0-0:96.13", "1-0:1.8.0 "])
    assert.equal(parseObis(text), undefined, text);
  assert.throws(() => obis("unknown-x"), { code: "invalid-value" });
});

test("a code is printed short, and with its billing period only when it has one", () => {
  assert.equal(formatObis(obis("1.0.1.8.0.255")), "1-0:1.8.0");
  assert.equal(formatObis(obis("1-1:0.1.5.128")), "1-1:0.1.5*128");
});

test("printing and reading, and octets and codes, undo each other", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (octets) => {
      const code = obisFromOctets(octets);
      assert.ok(code !== undefined);
      assert.deepEqual(parseObis(formatObis(code)), code);
      assert.deepEqual(obisOctets(code), octets);
    }),
    { numRuns: 200 },
  );
});

test("codes are said in words", () => {
  const words: readonly (readonly [string, string])[] = [
    ["1-0:1.8.0", "Active energy import"],
    ["1-0:2.8.2", "Active energy export, tariff 2"],
    ["1-0:1.7.0", "Active power import"],
    ["1-0:21.7.0", "Active power import L1"],
    ["1-0:44.7.0", "Reactive power export L2"],
    ["1-1:5.8.1", "Reactive energy quadrant 1, tariff 1, channel 1"],
    ["1-0:72.7.0", "Voltage L3"],
    ["1-0:31.7.0", "Current L1"],
    ["1-0:13.7.0", "Power factor"],
    ["1-0:33.7.0", "Power factor L1"],
    ["1-0:14.7.0", "Frequency"],
    ["1-0:52.32.0", "Voltage L2, number of sags"],
    ["0-0:96.1.0", "Meter number"],
    ["0-0:42.0.0", "Logical device name"],
    ["0-6:25.9.0", "Push setup, channel 6"],
    ["0-1:24.2.1", "M-Bus meter value, channel 1"],
    ["1-3:0.2.8", "P1 version, channel 3"],
    ["7-0:3.1.0", "Gas 3.1.0"],
    ["99-0:3.1.0", "Unknown (99-0:3.1.0)"],
  ];
  for (const [code, text] of words) assert.equal(obisInWords(obis(code)), text);
});

test("the quantity of a code is known only where the code tells", () => {
  assert.equal(quantityOf(obis("1-0:1.8.0")), "active-energy");
  assert.equal(quantityOf(obis("1-0:61.7.0")), "active-power");
  assert.equal(quantityOf(obis("1-0:8.8.0")), "reactive-energy");
  assert.equal(quantityOf(obis("1-0:32.32.0")), undefined);
  assert.equal(quantityOf(obis("0-0:96.1.0")), undefined);
});

test("units have symbols, and symbols numbers", () => {
  assert.equal(unitSymbol(30), "Wh");
  assert.equal(unitSymbol(255), "");
  assert.equal(unitSymbol(99), "unit(99)");
  assert.equal(unitNumber("varh"), 32);
  assert.equal(unitNumber("m³"), 13);
  for (const symbol of Object.values(UNIT_SYMBOLS)) assert.notEqual(unitNumber(symbol), undefined);
});
