import assert from "node:assert/strict";
import { test } from "node:test";
import { closedWithin } from "./closing.ts";

const TIMES = { told: 7_000, over: 60_000 };
const never = () => new Promise<never>(() => undefined);

test("closing that waits for what does not end says for what, and ends without it when its time is over", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const told: string[] = [];
  const underWay = ["contacts with 2 meters", "a commit"];
  const closing = closedWithin(
    TIMES,
    never,
    () => underWay,
    (text) => told.push(text),
  );
  context.mock.timers.tick(7_000);
  assert.deepEqual(told, ["Closing waits for contacts with 2 meters; a commit."]);
  underWay.shift();
  context.mock.timers.tick(53_000);
  await assert.rejects(closing, {
    code: "custody-close-late",
    message: "closing has waited 60 s for a commit: it ends without",
  });
});

test("closing that ends in time says nothing, and what it fails with is told", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  await closedWithin(TIMES, async () => undefined, assert.fail, assert.fail);
  await assert.rejects(
    closedWithin(TIMES, () => Promise.reject(new Error("no")), assert.fail, assert.fail),
    /no/,
  );
  context.mock.timers.tick(60_000);
});
