import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answeredRows } from "./answered-rows.ts";
import { intervalCount } from "./coverage.ts";

const PERIOD = 900_000;
const CHANNELS = ["1-0:1.8.0", "1-0:2.8.0"] as const;
const PROFILE = {
  periodSeconds: 900,
  powerBackBit: 7,
  columns: ["clock", "status", ...CHANNELS.map((obis) => ({ obis, kind: "register" }) as const)],
} as const;

const row = (slot: number, status = 0, channels: readonly string[] = CHANNELS) => ({
  at: slot * PERIOD,
  intervals: channels.map((obis) => ({ obis, status })),
});
const slots = (from: number, to: number) => ({ from: from * PERIOD, to: to * PERIOD });

test("a stretch ends where the meter's own clock had settled, or with the newest row", () => {
  const rows = [row(1), row(2)];
  assert.deepEqual(answeredRows(rows, slots(0, 4), PROFILE, 2.9 * PERIOD)?.stretch, slots(0, 2));
  assert.deepEqual(answeredRows(rows, slots(0, 4), PROFILE, 0)?.stretch, slots(0, 2), "a row that came is there");
  assert.deepEqual(answeredRows(rows, slots(0, 4), PROFILE, undefined)?.stretch, slots(0, 2), "it knows no time");
  assert.deepEqual(answeredRows(rows, slots(0, 4), PROFILE, 9 * PERIOD)?.stretch, slots(0, 4));
  assert.equal(answeredRows([], slots(0, 4), PROFILE, undefined), undefined);
});

test("rows every half hour are half of the quarter hours, and a row off the grid is none of them", () => {
  const halves = [2, 4, 6, 8].map((slot) => row(slot));
  const answered = answeredRows([...halves, row(6.5)], slots(0, 8), PROFILE, 9 * PERIOD);
  assert.deepEqual(
    answered?.lacking.filter(({ obis }) => obis === CHANNELS[0]).map(({ from }) => from / PERIOD),
    [0, 2, 4, 6],
  );
});

test("a channel that a row leaves out lacks alone, and a row that says that power came back excuses the hole before it", () => {
  const rows = [row(1), row(2, 0, [CHANNELS[0]]), row(5, 0x80), row(7)];
  assert.deepEqual(answeredRows(rows, slots(0, 8), PROFILE, 9 * PERIOD), {
    stretch: slots(0, 8),
    lacking: [
      { obis: CHANNELS[0], ...slots(2, 4) },
      { obis: CHANNELS[0], ...slots(5, 6) },
      { obis: CHANNELS[0], ...slots(7, 8) },
      { obis: CHANNELS[1], ...slots(1, 4) },
      { obis: CHANNELS[1], ...slots(5, 6) },
      { obis: CHANNELS[1], ...slots(7, 8) },
    ],
    outages: [slots(2, 4)],
  });
});

test("of every answer, what lacks and what is there are the stretch", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(30), { maxLength: 30 }), fc.nat(30), (held, to) => {
      const rows = held.sort((a, b) => a - b).map((slot) => row(slot));
      const answered = answeredRows(rows, slots(0, to), PROFILE, 40 * PERIOD);
      const there = held.filter((slot) => slot > 0 && slot <= to).length;
      for (const obis of CHANNELS) {
        const lacking = answered?.lacking.filter((one) => one.obis === obis) ?? [];
        assert.equal(intervalCount(lacking, 900) + there, to);
      }
    }),
  );
});
