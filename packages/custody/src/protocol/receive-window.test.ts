import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accepted, type ReceiveWindow, united, WINDOW_COUNTERS, windowOctets, windowOf } from "./receive-window.ts";

test("the window takes each counter once, in any order, and nothing older than its width", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3000), { minLength: 1, maxLength: 200 }), (counters) => {
      let window: ReceiveWindow | undefined;
      const taken = new Set<number>();
      for (const counter of counters) {
        const highest = taken.size === 0 ? -1 : Math.max(...taken);
        const expected = !taken.has(counter) && counter > highest - WINDOW_COUNTERS;
        const next = accepted(window, counter);
        assert.equal(next !== undefined, expected, `${counter} after ${highest}`);
        if (next === undefined) continue;
        taken.add(counter);
        window = windowOf(next.highest, windowOctets(next));
        assert.deepEqual(window, next);
      }
    }),
    { numRuns: 200 },
  );
});

test("what either of two windows has taken, both together take no more, and everything else that is not too old", () => {
  const counters = fc.array(fc.nat(3000), { minLength: 1, maxLength: 100 });
  const windowOfAll = (all: readonly number[]) =>
    all.reduce((window: ReceiveWindow | undefined, counter) => accepted(window, counter) ?? window, undefined)!;
  fc.assert(
    fc.property(counters, counters, fc.nat(3000), (some, others, next) => {
      const both = united(windowOfAll(some), windowOfAll(others));
      const taken = [...some, ...others];
      const highest = Math.max(...taken);
      assert.equal(both.highest, highest);
      assert.deepEqual(both, united(windowOfAll(others), windowOfAll(some)));
      for (const counter of taken) assert.equal(accepted(both, counter), undefined);
      assert.equal(accepted(both, next) !== undefined, !taken.includes(next) && next > highest - WINDOW_COUNTERS);
    }),
    { numRuns: 200 },
  );
});

test("counters up to the last one there is are told apart", () => {
  const top = accepted(accepted(undefined, 0), 0xffffffff);
  assert.equal(top?.highest, 0xffffffff);
  assert.equal(accepted(top, 0), undefined);
  assert.equal(accepted(top, 0xfffffffe)?.highest, 0xffffffff);
});
