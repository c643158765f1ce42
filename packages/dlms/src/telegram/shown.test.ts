import assert from "node:assert/strict";
import { test } from "node:test";
import { readP1Body } from "./p1-body.ts";
import { shownValue } from "./shown.ts";

test("the clock and the identifiers of a P1 telegram are shown as a time and as text, everything else as it was sent", () => {
  const { readings } = readP1Body(
    "/MKP5x\r\n\r\n0-0:1.0.0(260304120000W)\r\n0-0:96.1.0(4d4b5030303030303032303235)\r\n0-1:96.1.0(4B3845)\r\n" +
      "1-0:1.8.0(001234.567*kWh)\r\n0-0:96.14.0(0002)\r\n!\r\n",
  );
  assert.deepEqual(readings.map(shownValue), [
    "2026-03-04T12:00:00 winter",
    "MKP0000002025",
    "4B3845",
    1234.567,
    "0002",
  ]);
  assert.equal(readings[0]?.value, "260304120000W");
});
