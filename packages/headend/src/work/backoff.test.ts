import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffSeconds, SESSION_BACKOFF } from "./backoff.ts";

test("pauses double, stay under the ceiling, and never fall below half of what is due", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempts, random) => {
        const pause = backoffSeconds(attempts, random);
        const due = Math.min(SESSION_BACKOFF.ceilingSeconds, SESSION_BACKOFF.firstSeconds * 2 ** (attempts - 1));
        assert.ok(pause >= due / 2 && pause <= due);
      },
    ),
  );
});
