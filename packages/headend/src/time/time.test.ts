import assert from "node:assert/strict";
import { test } from "node:test";
import { checkClock } from "./clock-check.ts";
import { townClock, WALL_SOURCE_CLOCK } from "./source-clock.ts";

test("the town's clock runs faster and turns back exactly", () => {
  const clock = townClock({ epoch: "2026-03-01T00:00:00Z", wallEpoch: "2026-11-21T00:00:00Z", factor: 60 });
  const wall = Date.parse("2026-11-21T00:00:15Z");
  assert.equal(new Date(clock.atSource(wall)).toISOString(), "2026-03-01T00:15:00.000Z");
  assert.equal(clock.atWall(clock.atSource(wall)), wall);
  assert.equal(WALL_SOURCE_CLOCK.atSource(5), 5);
});

test("a clock is judged by the middle of the exchange, and by its length", () => {
  assert.equal(checkClock(100_000, 99_000, 101_000).verdict, "in-time");
  assert.equal(checkClock(150_000, 100_000, 100_000).verdict, "adjust");
  assert.equal(checkClock(500_000, 100_000, 100_000).verdict, "set");
  const wrong = checkClock(0, 1_000_000, 1_000_000);
  assert.equal(wrong.verdict, "incident");
  assert.match(wrong.sentence, /1000 s slow/);
  // Two seconds of exchange are two minutes at a source that runs sixty times as fast.
  assert.equal(checkClock(160_000, 100_000, 220_000).verdict, "in-time");
});
