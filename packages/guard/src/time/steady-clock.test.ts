import assert from "node:assert/strict";
import { test } from "node:test";
import { steadyClock } from "./steady-clock.ts";

test("a clock that is set by less than is noticed is followed no faster than clocks are slewed, forth and back", () => {
  const at = { wall: 1_795_000_000_000, monotonic: 5_000 };
  const start = at.wall;
  const now = steadyClock(
    () => at.wall,
    () => at.monotonic,
  );
  at.wall += 10_000;
  at.monotonic += 10_000;
  assert.equal(now(), start + 10_000);
  at.wall += 59_000;
  assert.equal(now(), start + 11_005);
  at.wall -= 118_000;
  assert.equal(now(), start + 8_995);
  at.wall += 59_000 + 3_600_000;
  at.monotonic += 3_600_000;
  at.wall += 2_000;
  assert.equal(now(), start + 3_612_000, "two seconds are followed within the hour");
});
