import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, timeFormat } from "./time.ts";

const utc = timeFormat("UTC");

test("a time of today is a clock time, another day names itself", () => {
  const now = "2026-11-21T14:30:07Z";
  assert.equal(utc.near("2026-11-21T09:05:00Z", now), "09:05");
  assert.equal(utc.near("2026-11-20T23:59:00Z", now), "20 Nov 23:59");
  assert.equal(utc.full(now), "21 Nov 2026, 14:30:07 UTC");
});

test("a day of another year names its year, also where day and month are those of today", () => {
  const now = "2026-11-22T14:30:07Z";
  assert.equal(utc.near("2051-12-11T06:38:00Z", now), "11 Dec 2051 06:38");
  assert.equal(utc.near("2027-11-22T14:30:00Z", now), "22 Nov 2027 14:30");
  assert.equal(utc.date("2027-11-22T00:00:00Z", now), "22 Nov 2027");
  assert.equal(utc.date("2026-12-24T00:00:00Z", now), "24 Dec");
  assert.equal(timeFormat("Europe/Berlin").date("2026-12-31T23:30:00Z", now), "1 Jan 2027");
});

test("times stand in the zone that was asked for", () => {
  assert.equal(timeFormat("Europe/Berlin").seconds("2026-11-21T14:30:07Z"), "15:30:07");
  assert.equal(timeFormat("Europe/Berlin").near("2026-11-20T23:30:00Z", "2026-11-21T10:00:00Z"), "00:30");
});

test("a text that is no time is shown as it is", () => {
  assert.equal(utc.clock("yesterday"), "yesterday");
});

test("durations take the unit that fits", () => {
  assert.deepEqual([0, 420, 3200, 250_000, 7_500_000].map(formatDuration), [
    "0 ms",
    "420 ms",
    "3.2 s",
    "4 min 10 s",
    "2 h 5 min",
  ]);
});
