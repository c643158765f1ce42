import assert from "node:assert/strict";
import { test } from "node:test";
import {
  dayOfInterval,
  firstIntervalOf,
  isSummerTime,
  localMidnight,
  localOffsetSeconds,
  shiftLocalDays,
  weekdayOf,
} from "./calendar.ts";

const seconds = (text: string): number => Date.parse(text) / 1000;

test("summer time begins and ends on the last Sundays of March and October at 01:00 UTC", () => {
  assert.equal(isSummerTime(seconds("2026-03-29T00:59:59Z")), false);
  assert.equal(isSummerTime(seconds("2026-03-29T01:00:00Z")), true);
  assert.equal(isSummerTime(seconds("2026-10-25T00:59:59Z")), true);
  assert.equal(isSummerTime(seconds("2026-10-25T01:00:00Z")), false);
  assert.equal(isSummerTime(seconds("2027-01-01T00:00:00Z")), false);
  assert.equal(localOffsetSeconds(seconds("2026-07-01T00:00:00Z")), 7200);
});

test("local midnights follow each other over the changes of summer time", () => {
  const first = localMidnight(seconds("2026-03-27T12:00:00Z"));
  assert.equal(first, seconds("2026-03-26T23:00:00Z"));
  const days = [1, 2, 3, 4].map((n) => new Date(shiftLocalDays(first, n) * 1000).toISOString());
  assert.deepEqual(days, [
    "2026-03-27T23:00:00.000Z",
    "2026-03-28T23:00:00.000Z",
    "2026-03-29T22:00:00.000Z",
    "2026-03-30T22:00:00.000Z",
  ]);
  assert.equal(shiftLocalDays(seconds("2026-10-25T23:00:00Z"), -1), seconds("2026-10-24T22:00:00Z"));
  assert.equal(localMidnight(seconds("2026-03-29T01:30:00Z")), seconds("2026-03-28T23:00:00Z"));
});

test("days of load begin at midnight of standard time and know their weekday", () => {
  const midnight = seconds("2026-11-20T23:00:00Z") / 900;
  const day = dayOfInterval(midnight);
  assert.equal(firstIntervalOf(day), midnight);
  assert.equal(dayOfInterval(midnight - 1), day - 1);
  assert.equal(weekdayOf(day), 5, "21 November 2026 is a Saturday");
});
