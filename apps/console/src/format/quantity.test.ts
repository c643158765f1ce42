import assert from "node:assert/strict";
import { test } from "node:test";
import {
  counted,
  formatCount,
  formatEnergy,
  formatGiven,
  formatOctets,
  formatPower,
  formatShare,
  formatTick,
  spoken,
} from "./quantity.ts";

const NARROW = "\u202f";

test("power keeps three digits and takes the unit that needs no leading zero", () => {
  const shown = [0, 7, 412, 999.6, 1240, 52_230, 1_520_000, -3400].map((powerW) => spoken(formatPower(powerW)));
  assert.deepEqual(shown, ["0 W", "7 W", "412 W", "1.00 kW", "1.24 kW", "52.2 kW", "1.52 MW", "\u22123.40 kW"]);
});

test("the tick of an axis has no digit that says nothing", () => {
  assert.deepEqual([0, 500, 1000, 1500, 50_000, -2000].map(formatTick), [
    "0 W",
    "500 W",
    "1 kW",
    "1.5 kW",
    "50 kW",
    "\u22122 kW",
  ]);
});

test("energy keeps whole watt-hours, as the meter's display does", () => {
  assert.equal(spoken(formatEnergy(999)), "999 Wh");
  assert.equal(spoken(formatEnergy(4_312_586)), `4${NARROW}312.586 kWh`);
  assert.equal(spoken(formatEnergy(1000)), "1.000 kWh");
});

test("a value is shown as the meter gave it, neither rounded nor rescaled", () => {
  assert.equal(spoken(formatGiven(231.4, "V")), "231.4 V");
  assert.equal(spoken(formatGiven(1234567, "Wh")), `1${NARROW}234${NARROW}567 Wh`);
  assert.equal(spoken(formatGiven("MKP0000002025", undefined)), "MKP0000002025");
  assert.equal(spoken(formatGiven(-0.5, "")), "\u22120.5");
});

test("a share never rounds something to nothing nor a part to the whole", () => {
  assert.equal(spoken(formatShare(1, 5000)), "<1 %");
  assert.equal(spoken(formatShare(4999, 5000)), ">99 %");
  assert.equal(spoken(formatShare(0, 0)), "0 %");
  assert.equal(spoken(formatShare(1, 4)), "25 %");
});

test("counts say one and many, and group their digits", () => {
  assert.equal(counted(1, "meter"), "1 meter");
  assert.equal(counted(0, "home is", "homes are"), "0 homes are");
  assert.equal(formatCount(12345), `12${NARROW}345`);
  assert.equal(spoken(formatOctets(1)), "1 octet");
  assert.equal(spoken(formatOctets(20_480)), "20.5 kB");
});
