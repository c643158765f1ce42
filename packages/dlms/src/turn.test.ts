import assert from "node:assert/strict";
import { test } from "node:test";
import { Turn } from "./turn.ts";

test("those who wait come in the order they asked, one at a time, whatever becomes of those before", async () => {
  const turn = new Turn();
  const seen: string[] = [];
  const work = (name: string, fails = false) =>
    turn.run(async () => {
      seen.push(`${name} begins`);
      await Promise.resolve();
      seen.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const all = await Promise.allSettled([work("one"), work("two", true), work("three")]);
  assert.deepEqual(seen, ["one begins", "one ends", "two begins", "two ends", "three begins", "three ends"]);
  assert.deepEqual(
    all.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
});

test("a turn that was taken keeps others out until it is passed on, and is free again after the last", async () => {
  const turn = new Turn();
  const pass = await turn.take();
  let came = false;
  const second = turn.run(async () => {
    came = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(came, false);
  pass();
  // Who asks between the hand-over and the next one's awakening still comes after it.
  const third = turn.run(async () => came);
  await second;
  assert.equal(await third, true);
  assert.equal(await turn.run(async () => "free"), "free");
});
