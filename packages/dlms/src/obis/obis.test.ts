import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatObis, obis, obisFromOctets, obisOctets, parseObis } from "./code.ts";
import { quantityOf } from "./quantity.ts";
import { UNIT_SYMBOLS, unitNumber, unitSymbol } from "./unit.ts";
import { describeObis, obisInWords } from "./words.ts";

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
    ["1-3:0.2.8", "P1 version"],
    ["1-0:15.7.0", "Active power import and export"],
    ["1-0:36.7.0", "Active power import less export L1"],
    ["1-0:17.8.0", "Active energy quadrant 1"],
    ["1-0:1.6.1*3", "Active power import, maximum, tariff 1, billing period 3"],
    ["1-0:1.2.0", "Active power import, cumulative maximum"],
    ["1-0:1.29.0", "Active energy import, of the interval"],
    ["1-0:32.7.3", "Voltage L1, harmonic 3"],
    ["1-0:31.7.124", "Current L1, total harmonic distortion"],
    ["1-0:12.7.1", "Voltage, fundamental"],
    ["1-0:71.36.0", "Current L3, number of times over the limit"],
    ["1-0:72.37.0", "Voltage L3, duration of swells"],
    ["1-0:81.7.4", "Phase angle I(L1) to U(L1)"],
    ["1-0:81.7.10", "Phase angle U(L1) to U(L2)"],
    ["1-0:91.7.0", "Current N"],
    ["1-0:85.7.0", "Power factor export L1"],
    ["1-0:88.8.0", "Ampere-squared hours 8.0"],
    ["1-0:0.3.0", "Pulse constant of active energy (LED)"],
    ["1-0:0.4.2", "Current transformer ratio"],
    ["1-0:99.1.0", "Load profile 1"],
    ["1-0:99.98.1", "Event log 1"],
    ["1-1:1.223.0", "Active power import, maker's processing 223, channel 1"],
    ["1-0:200.7.0", "Electricity 200.7.0 of the maker"],
    ["0-0:1.0.0", "Clock"],
    ["0-0:10.0.106", "Disconnect script table"],
    ["0-0:13.0.0", "Activity calendar"],
    ["0-0:15.0.2", "Image activation schedule"],
    ["0-0:16.1.0", "Alarm monitor 0"],
    ["0-0:17.0.0", "Limiter"],
    ["0-1:24.1.0", "M-Bus device, channel 1"],
    ["0-1:24.3.0", "M-Bus profile 0, channel 1"],
    ["0-0:25.1.0", "IPv4 setup"],
    ["0-0:28.7.0", "PRIME applications identification"],
    ["0-0:29.1.0", "G3-PLC MAC setup"],
    ["0-0:40.0.2", "Association 2"],
    ["0-0:43.1.0", "Invocation counter 0"],
    ["0-0:44.0.0", "Image transfer"],
    ["0-0:96.3.10", "Disconnect control"],
    ["0-0:96.11.4", "Event code 4"],
    ["0-0:96.2.0", "Number of configuration changes"],
    ["0-0:97.98.0", "Alarm register, filter or descriptor 0"],
    ["0-0:98.1.0*101", "Data of billing period, scheme 0, billing period 101"],
    ["0-0:99.98.9", "Event log 9"],
    ["0-0:94.91.0", "National value 91.0"],
    ["0-0:128.1.2", "Abstract 128.1.2 of the maker"],
    ["4-0:1.2.0", "Heat cost, unrated, value at the set date"],
    ["5-0:1.0.0", "Cooling energy"],
    ["6-0:1.0.0", "Heat energy"],
    ["6-0:1.3.1", "Heat energy, value at the billing date, tariff 1"],
    ["6-0:8.5.0", "Heat power, maximum"],
    ["6-0:10.0.0", "Heat flow temperature"],
    ["7-0:3.0.0", "Gas volume, forward, at measuring conditions"],
    ["7-0:3.1.0", "Gas volume, forward, corrected"],
    ["7-0:13.2.0", "Gas volume of the converter, forward, at base conditions"],
    ["7-0:42.0.0", "Gas pressure, at measuring conditions"],
    ["8-0:1.0.0", "Cold water volume"],
    ["8-1:1.2.0", "Cold water volume, value at the set date, channel 1"],
    ["9-0:2.0.0", "Hot water flow rate"],
    ["9-0:0.2.0", "Firmware version"],
    ["6-0:99.1.0", "Load profile 0"],
    ["15-0:1.0.0", "Other medium 1.0.0"],
    ["99-0:3.1.0", "Unknown (99-0:3.1.0)"],
  ];
  for (const [code, text] of words) assert.equal(obisInWords(obis(code)), text);
});

test("a code is taken apart", () => {
  assert.deepEqual(describeObis(obis("1-2:21.6.3*7")), {
    text: "Active power import L1, maximum, tariff 3, channel 2, billing period 7",
    medium: "Electricity",
    channel: 2,
    phase: "L1",
    processing: "maximum",
    tariff: 3,
    storage: 7,
    unit: "W",
  });
  assert.deepEqual(describeObis(obis("1-0:32.7.5")), {
    text: "Voltage L1, harmonic 5",
    medium: "Electricity",
    phase: "L1",
    harmonic: "harmonic 5",
    unit: "V",
  });
  assert.deepEqual(describeObis(obis("8-0:1.0.0")), { text: "Cold water volume", medium: "Cold water", unit: "m³" });
  assert.equal(describeObis(obis("99-0:1.0.0")).medium, undefined);
  assert.equal(describeObis("1.0.1.8.0.255").text, "Active energy import");
  assert.throws(() => describeObis("energy"), { code: "invalid-value" });
});

test("any code whatever has words", () => {
  const group = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 4, 5, 6, 7, 8, 9, 33), group, group, group, group, group, (a, b, c, d, e, f) => {
      const { text } = describeObis({ a, b, c, d, e, f });
      assert.match(text, /^[A-Z].*[^, ]$/);
      assert.ok(!text.includes("undefined"));
    }),
    { numRuns: 2000 },
  );
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
