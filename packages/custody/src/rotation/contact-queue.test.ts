import assert from "node:assert/strict";
import { test } from "node:test";
import type { DueRotation } from "../store/store.ts";
import { ContactQueue } from "./contact-queue.ts";

const HOUR = 3_600_000;

/** A queue over records as a store tells of them, and a clock set by hand. */
function queueOver(records: readonly DueRotation[]) {
  const bench = { now: 0 };
  const due = async (begun: number, waiting: number, resting: readonly string[]) => {
    const rests = new Set(resting);
    return [
      ...records.filter((one) => one.begun && !rests.has(one.systemTitle)).slice(0, begun),
      ...records.filter((one) => !one.begun).slice(0, waiting),
    ];
  };
  const queue = new ContactQueue({ due }, () => bench.now);
  const take = (limit = 1000) => queue.take(limit, 1e9);
  return { bench, queue, take };
}

test("what has begun and rests keeps nothing from its turn that has begun later, however much of it there is", async () => {
  const count = 7000;
  const { queue, take } = queueOver(Array.from({ length: count }, (_, at) => ({ systemTitle: `M${at}`, begun: true })));
  const taken: string[] = [];
  for (let time = 0; time < count / 1000; time += 1) {
    const meters = await take();
    for (const title of meters) queue.rest(title, HOUR);
    taken.push(...meters);
  }
  assert.equal(new Set(taken).size, count);
  assert.deepEqual(await take(), []);
});

test("what waits and rests keeps nothing from its turn that waits behind it", async () => {
  const records = ["A", "B", "C"].map((systemTitle) => ({ systemTitle, begun: false, plannedAt: 1 }));
  // Of one of its setups something has begun.
  const { bench, queue, take } = queueOver([{ systemTitle: "A", begun: true, plannedAt: 1 }, ...records]);
  bench.now += HOUR;
  assert.deepEqual(await take(1), ["A"]);
  queue.rest("A", HOUR);
  assert.deepEqual([await take(1), await take(1), await take(1)], [["B"], ["C"], []]);
});

test("a rest ends with what is planned after it, once, whoever plans", async () => {
  const records: DueRotation[] = [{ systemTitle: "M", begun: true }];
  const { bench, queue, take } = queueOver(records);
  bench.now += HOUR;
  assert.deepEqual(await take(), ["M"]);
  queue.rest("M", HOUR);
  assert.deepEqual(await take(), []);
  records.push({ systemTitle: "M", begun: false, plannedAt: bench.now });
  bench.now += 1000;
  assert.deepEqual(await take(), ["M"]);
  queue.rest("M", HOUR);
  bench.now += 1000;
  assert.deepEqual(await take(), [], "its journals have said that there is still to be waited");
  records[1] = { systemTitle: "M", begun: false, plannedAt: bench.now };
  assert.deepEqual(await take(), ["M"]);
});

test("a meter that is wanted although no record says so is given once", async () => {
  const { bench, queue, take } = queueOver([{ systemTitle: "A", begun: true }]);
  bench.now += HOUR;
  queue.want(["A", "B"]);
  assert.deepEqual(await take(), ["A", "B"]);
  bench.now += HOUR;
  assert.deepEqual(await take(), ["A"]);
});
