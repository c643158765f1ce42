import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accepted, type ReceiveWindow, WINDOW_COUNTERS, windowOctets, windowOf } from "./receive-window.ts";

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

test("counters up to the last one there is are told apart", () => {
  const top = accepted(accepted(undefined, 0), 0xffffffff);
  assert.equal(top?.highest, 0xffffffff);
  assert.equal(accepted(top, 0), undefined);
  assert.equal(accepted(top, 0xfffffffe)?.highest, 0xffffffff);
});
