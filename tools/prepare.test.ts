import assert from "node:assert/strict";
import { test } from "node:test";
import { again } from "./prepare.ts";

test("what is fetched and fails once is fetched again, as often as there are pauses and no more", async (context) => {
  const said = context.mock.method(console, "log", () => undefined);
  const attempts = (...statuses: number[]) => {
    let tries = 0;
    return { of: async () => statuses[tries++] ?? 0, tries: () => tries };
  };
  for (const [statuses, status, tries, lines] of [
    [[0], 0, 1, 0],
    [[100, 0], 0, 2, 2],
    [[100, 100, 0], 0, 3, 3],
    [[100, 100, 7, 0], 7, 3, 2],
  ] as const) {
    said.mock.resetCalls();
    const made = attempts(...statuses);
    assert.equal(await again("it", [0, 0], made.of), status);
    assert.deepEqual([made.tries(), said.mock.callCount()], [tries, lines], statuses.join());
  }
});
