import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cover, desiredWindow, intervalCount, missing, nextIntervalAt, type Stretch } from "./coverage.ts";

const QUARTER = 900_000;

test("what is missing is the window less what is covered", () => {
  const covered = [
    { from: 10, to: 20 },
    { from: 30, to: 40 },
  ];
  assert.deepEqual(missing(covered, { from: 0, to: 50 }), [
    { from: 0, to: 10 },
    { from: 20, to: 30 },
    { from: 40, to: 50 },
  ]);
  assert.deepEqual(missing(covered, { from: 12, to: 20 }), []);
  assert.deepEqual(missing([], { from: 5, to: 5 }), []);
});

test("touching stretches become one", () => {
  assert.deepEqual(cover([{ from: 0, to: 10 }], { from: 10, to: 20 }), [{ from: 0, to: 20 }]);
  assert.deepEqual(cover([{ from: 0, to: 10 }], { from: 11, to: 11 }), [{ from: 0, to: 10 }]);
});

const stretch = fc
  .tuple(fc.nat(60), fc.nat(60))
  .map(([a, b]): Stretch => ({ from: Math.min(a, b), to: Math.max(a, b) }));
const holds = (stretches: readonly Stretch[], at: number): boolean =>
  stretches.some(({ from, to }) => at > from && at <= to);

test("every instant of a window is either covered or missing, whatever was covered in which order", () => {
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 12 }), stretch, (stretches, window) => {
      const covered = stretches.reduce<readonly Stretch[]>(cover, []);
      const gaps = missing(covered, window);
      for (let at = 0; at <= 61; at += 1) {
        assert.equal(holds(covered, at), holds(stretches, at));
        assert.equal(holds(gaps, at), holds([window], at) && !holds(stretches, at));
      }
      for (const [index, gap] of gaps.entries()) assert.ok(gap.from < gap.to && gap.from >= (gaps[index - 1]?.to ?? 0));
    }),
  );
});

test("covering what is missing leaves nothing missing", () => {
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 8 }), stretch, (stretches, window) => {
      const covered = stretches.reduce<readonly Stretch[]>(cover, []);
      assert.deepEqual(missing(missing(covered, window).reduce(cover, covered), window), []);
    }),
  );
});

test("the desired window ends with the last interval that has settled and is on the period's grid", () => {
  const now = 10 * QUARTER + 20_000;
  const early = desiredWindow(now, { days: 1, settleSeconds: 30 }, 900);
  assert.equal(early.to, 9 * QUARTER);
  const later = desiredWindow(now + 20_000, { days: 1, settleSeconds: 30, notBefore: 4 * QUARTER + 1 }, 900);
  assert.deepEqual(later, { from: 4 * QUARTER, to: 10 * QUARTER });
  assert.equal(intervalCount([later], 900), 6);
});

test("the next read is due when the next interval has settled, not before", () => {
  assert.equal(nextIntervalAt(10 * QUARTER + 29_000, 30, 900), 10 * QUARTER + 30_000);
  assert.equal(nextIntervalAt(10 * QUARTER + 30_000, 30, 900), 11 * QUARTER + 30_000);
});
