import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { resumeTime, STOP_SECONDS, townTimeAt } from "./town-clock.ts";

test("a first start begins at the wall clock's time and runs faster", () => {
  const time = resumeTime(undefined, 1000, 60);
  assert.equal(townTimeAt(time, 1000), 1000);
  assert.equal(townTimeAt(time, 1015), 1900);
});

test("a restart after a crash keeps the very same clock, one after a night goes on where it was", () => {
  const kept = { epoch: 5000, wallEpoch: 100, factor: 60, aliveAt: 200 };
  assert.deepEqual(resumeTime(kept, 230, 60), { epoch: 5000, wallEpoch: 100, factor: 60 });
  const morning = resumeTime(kept, 40_000, 60);
  assert.equal(townTimeAt(morning, 40_000), townTimeAt(kept, 200 + STOP_SECONDS));
});

test("time never runs backwards over a restart, not with another factor and not when the wall clock was set back", () => {
  const seconds = fc.integer({ min: 0, max: 100_000 });
  fc.assert(
    fc.property(
      seconds,
      fc.integer({ min: -500, max: 100_000 }),
      fc.constantFrom(1, 60, 3600),
      (alive, gap, factor) => {
        const kept = { epoch: 9000, wallEpoch: 0, factor: 60, aliveAt: alive };
        const resumed = resumeTime(kept, alive + gap, factor);
        assert.ok(townTimeAt(resumed, alive + gap) >= townTimeAt(kept, alive));
      },
    ),
  );
});
