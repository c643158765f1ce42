import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeterId } from "../inventory/meter.ts";
import { type Due, LANES, type Lease } from "./lease.ts";
import { Worker, type WorkerPorts } from "./worker.ts";

const NEVER: Due = { dueAt: Number.POSITIVE_INFINITY, lane: LANES.reading };

/** A queue with `count` leases, each given once, and sessions that end when they are let go. */
function bench(count: number) {
  const given: number[] = [];
  const open = new Map<number, (due: Due) => void>();
  const errors: unknown[] = [];
  const hurried: number[] = [];
  const abandoned: (readonly number[])[] = [];
  let peak = 0;
  /** How many of the next leases were asked for on demand. */
  const under = { asked: 0 };
  const ports: WorkerPorts = {
    queue: {
      lease: async (_owner, { any, onDemand }) => {
        const asked = Math.min(onDemand, under.asked);
        under.asked -= asked;
        const length = Math.min(any + asked, count - given.length);
        const batch = Array.from({ length }, (_, n) => given.length + n);
        given.push(...batch);
        return batch.map((n) => ({ epoch: BigInt(n), meter: { id: n } }) as Lease);
      },
      abandon: async (_owner, held) => {
        abandoned.push(held);
      },
      nextDue: async () => undefined,
    },
    run: ({ epoch }, signal) =>
      new Promise<Due>((resolve, reject) => {
        if (epoch === 3n) return reject(new Error("a session that goes wrong"));
        open.set(Number(epoch), resolve);
        peak = Math.max(peak, open.size);
        signal.addEventListener("abort", () => {
          open.delete(Number(epoch));
          resolve(NEVER);
        });
      }),
    hurry: (meters) => hurried.push(...meters),
    onError: (error) => errors.push(error),
    now: () => 0,
    sleep: (_, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve());
      }),
  };
  const finish = (n: number, due = NEVER): void => {
    open.get(n)?.(due);
    open.delete(n);
  };
  return { ports, given, open, errors, hurried, abandoned, finish, under, peak: () => peak };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const OPTIONS = { owner: "w", concurrency: 4, leaseSeconds: 60, idleMilliseconds: 1_000 };

test("no more sessions than it may hold, and all work is done", async () => {
  const under = bench(30);
  const worker = new Worker(under.ports, OPTIONS);
  worker.start();
  for (let round = 0; round < 200 && under.given.length < 30; round += 1) {
    await settle();
    for (const n of [...under.open.keys()]) under.finish(n);
  }
  await settle();
  assert.equal(under.given.length, 30);
  assert.ok(under.peak() <= 4);
  assert.equal(under.errors.length, 1);
  await worker.close();
});

test("who asks on demand does not wait for the end of somebody else's session", async () => {
  const bounded = bench(30);
  const worker = new Worker(bounded.ports, { ...OPTIONS, concurrency: 16 });
  worker.start();
  await settle();
  assert.equal(worker.busy, 15, "one of them went wrong");
  bounded.under.asked = 4;
  worker.wake();
  await settle();
  await settle();
  assert.equal(worker.busy, 18, "two more places there are for that, and the one that was free");
  bounded.finish(0);
  await settle();
  await settle();
  assert.deepEqual([worker.busy, bounded.under.asked], [18, 0]);
  await worker.close();
});

test("who is asked for in the midst of a session held here is hurried, and nobody else", async () => {
  const held = bench(3);
  const worker = new Worker(held.ports, OPTIONS);
  worker.start();
  await settle();
  worker.wake([1, 7] as MeterId[]);
  assert.deepEqual(held.hurried, [1]);
  worker.wake();
  held.finish(1);
  await settle();
  worker.wake([1] as MeterId[]);
  assert.deepEqual(held.hurried, [1]);
  await worker.close();
});

test("who asks on demand does not wait for a lease of many that is under way", async () => {
  const slow = bench(30);
  const { lease } = slow.ports.queue;
  const never = new Promise<readonly Lease[]>(() => undefined);
  const queue: WorkerPorts["queue"] = {
    ...slow.ports.queue,
    lease: (owner, places, now, seconds) => (places.any > 0 ? never : lease(owner, places, now, seconds)),
  };
  const worker = new Worker({ ...slow.ports, queue }, { ...OPTIONS, concurrency: 16 });
  worker.start();
  await settle();
  assert.equal(worker.busy, 0);
  slow.under.asked = 2;
  worker.wake();
  await settle();
  assert.equal(worker.busy, 2);
});

test("a session whose results are lost makes the worker give back what it does not hold", async () => {
  const under = bench(6);
  const worker = new Worker(under.ports, OPTIONS);
  worker.start();
  await settle();
  await settle();
  assert.equal(under.errors.length, 1);
  assert.deepEqual(under.abandoned, [[0, 1, 2]]);
  await worker.close();
});

test("closing leases nothing more, cancels what is under way and waits for it", async () => {
  const under = bench(30);
  const worker = new Worker(under.ports, OPTIONS);
  worker.start();
  await settle();
  assert.equal(worker.busy, 4);
  await worker.close();
  assert.equal(worker.busy, 0);
  const { length } = under.given;
  worker.wake();
  await settle();
  assert.equal(under.given.length, length);
  assert.throws(() => worker.start(), { code: "head-end-closed" });
});

test("what waits for the database keeps its place, so that a slow database is given less to write", async () => {
  const slow = bench(30);
  const worker = new Worker(slow.ports, OPTIONS);
  worker.start();
  // Sessions are over, and none of them is written: their places stay taken, however often somebody says that there is work.
  for (let n = 0; n < 20; n += 1) {
    worker.wake();
    await settle();
  }
  assert.equal(slow.given.length, 5, "four places, and the one whose session went wrong was given again");
  slow.finish([...slow.open.keys()][0] as number);
  for (let n = 0; n < 20; n += 1) {
    worker.wake();
    await settle();
  }
  assert.equal(slow.given.length, 6, "one is written, one more is leased");
  await worker.close();
});

test("who was asked for in the midst of a session is leased as soon as that ends, whatever else there is to do", async () => {
  const under = bench(30);
  const worker = new Worker(under.ports, OPTIONS);
  worker.start();
  await settle();
  under.under.asked = 1;
  await settle();
  assert.equal(under.under.asked, 1, "nobody has said so yet");
  under.finish(0, { dueAt: 0, lane: LANES.onDemand });
  await settle();
  assert.equal(under.under.asked, 0);
  await worker.close();
});
