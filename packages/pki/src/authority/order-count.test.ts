import assert from "node:assert/strict";
import { test } from "node:test";
import { OrderCount } from "./order-count.ts";

const HOUR = 3_600_000;

/** A ledger that is asked how many were ordered, and by what is written into it. */
function ledger() {
  const orders: number[] = [];
  const asked: number[] = [];
  return {
    orders,
    asked,
    countSince: async (_requester: string, since: number) => {
      asked.push(since);
      return orders.filter((at) => at >= since).length;
    },
  };
}

test("the ledger counts once, and again only where the bound would refuse", async () => {
  const { orders, asked, countSince } = ledger();
  const count = new OrderCount({ countSince });
  const order = async (at: number) => {
    const refused = await count.take("line", 1, 100, at);
    if (refused === undefined) orders.push(at);
    return refused;
  };
  for (let at = 0; at < 100; at += 1) assert.equal(await order(at * HOUR), undefined);
  assert.equal(asked.length, 1);
  // The bound says 100; 24 hours hold 24 and the one that is just a day old.
  assert.equal(await order(100 * HOUR), undefined);
  assert.equal(asked.length, 2);
  for (let more = 0; more < 75; more += 1) assert.equal(await order(100 * HOUR), undefined);
  assert.equal(await order(100 * HOUR), 100);
  assert.equal(await order(125 * HOUR), undefined);
});

test("of several that ask at once no more are let through than the limit allows", async () => {
  const { countSince } = ledger();
  const count = new OrderCount({ countSince });
  const answers = await Promise.all(Array.from({ length: 5 }, () => count.take("line", 40, 100, 0)));
  assert.deepEqual(
    answers.map((refused) => refused === undefined),
    [true, true, false, false, false],
  );
});

test("a requester's orders count for nobody else", async () => {
  const count = new OrderCount({ countSince: async (requester) => (requester === "full" ? 10 : 0) });
  assert.equal(await count.take("full", 1, 10, 0), 10);
  assert.equal(await count.take("fresh", 10, 10, 0), undefined);
  assert.equal(
    await count.take("fresh", 1, 10, 0),
    undefined,
    "what was taken and never ordered is given back by a count",
  );
});
