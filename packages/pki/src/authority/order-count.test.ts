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
    const taken = await count.take("line", 1, 100, at);
    if (typeof taken === "number") return taken;
    orders.push(at);
    taken[Symbol.dispose]();
    return undefined;
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

test("of several that ask at once no more are let through than the limit allows, also where those of a day ago count no more", async () => {
  const { orders, countSince } = ledger();
  const count = new OrderCount({ countSince });
  const order = async (wanted: number, at: number) => {
    const taken = await count.take("line", wanted, 100, at);
    if (typeof taken === "number") return false;
    using _ = taken;
    // The ledger has them a while later.
    await new Promise((resolve) => setImmediate(resolve));
    orders.push(...Array.from({ length: wanted }, () => at));
    return true;
  };
  const several = (at: number) => Promise.all(Array.from({ length: 5 }, () => order(40, at)));
  for (const at of [0, 25 * HOUR, 50 * HOUR])
    assert.equal((await several(at)).filter((isTaken) => isTaken).length, 2, `after ${at / HOUR} hours`);
  assert.equal(orders.length, 3 * 80);
});

test("what is on its way to the ledger is counted once: nobody is refused what the limit allows", async () => {
  const { orders, countSince } = ledger();
  const answered: (() => void)[] = [];
  const slow = {
    countSince: async (requester: string, since: number) => {
      await new Promise<void>((resolve) => answered.push(resolve));
      return countSince(requester, since);
    },
  };
  const count = new OrderCount(slow);
  const first = count.take("line", 40, 100, 0);
  answered.shift()!();
  const taken = await first;
  assert.ok(typeof taken !== "number");
  // The bound refuses, the ledger is asked, and has 39 of the first 40 before it answers, one having failed: counted twice they would
  // leave no room for 60.
  const second = count.take("line", 60, 99, 0);
  orders.push(...Array.from({ length: 39 }, () => 0));
  answered.shift()!();
  await new Promise((resolve) => setImmediate(resolve));
  taken[Symbol.dispose]();
  await new Promise((resolve) => setImmediate(resolve));
  answered.shift()?.();
  assert.ok(typeof (await second) !== "number");
});

test("a requester's orders count for nobody else", async () => {
  const count = new OrderCount({ countSince: async (requester) => (requester === "full" ? 10 : 0) });
  const isTaken = async (requester: string, wanted: number) => {
    const taken = await count.take(requester, wanted, 10, 0);
    if (typeof taken !== "number") taken[Symbol.dispose]();
    return typeof taken === "number" ? taken : true;
  };
  assert.equal(await isTaken("full", 1), 10);
  assert.equal(await isTaken("fresh", 10), true);
  assert.equal(await isTaken("fresh", 1), true, "what was taken and never ordered is given back by a count");
});
