import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeterId } from "../inventory/meter.ts";
import { CustodianRoom } from "./custodian-room.ts";
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
    room: new CustodianRoom(100),
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

/** A custodian that takes `room` sessions at once, `count` meters that are due, and time that goes by when it is told to. */
function crowded(count: number, room: number) {
  const state = { now: 0, room, refused: 0, asked: 0, peak: 0 };
  const due = new Map<number, number>(Array.from({ length: count }, (_, n) => [n, 0]));
  const open = new Map<number, (due: Due) => void>();
  const asked = new Set<number>();
  const sleeping = new Set<{ readonly at: number; readonly wake: () => void }>();
  const learnt = new CustodianRoom(64);
  const leasable = (is: (n: number) => boolean, places: number): readonly number[] =>
    [...due.keys()].filter((n) => (due.get(n) as number) <= state.now && is(n)).slice(0, places);
  const ports: WorkerPorts = {
    queue: {
      lease: async (_owner, { any, onDemand }) => {
        const first = leasable((n) => asked.has(n), any + onDemand);
        const meters = [...first, ...leasable((n) => !asked.has(n), Math.max(0, any - first.length))];
        for (const n of meters) due.delete(n);
        return meters.map((n) => ({ meter: { id: n }, onDemand: asked.has(n) ? "read" : undefined }) as Lease);
      },
      abandon: async () => undefined,
      nextDue: async () => (due.size === 0 ? undefined : Math.min(...due.values())),
    },
    room: learnt,
    run: async ({ meter: { id }, onDemand }) => {
      const round = learnt.begin();
      await settle();
      if (open.size >= state.room) {
        state.refused += 1;
        const dueAt = learnt.refused(round, state.now);
        learnt.ended();
        due.set(id, dueAt);
        return { dueAt, lane: onDemand === undefined ? LANES.reading : LANES.onDemand };
      }
      const { promise, resolve } = Promise.withResolvers<Due>();
      open.set(id, resolve);
      state.peak = Math.max(state.peak, open.size);
      await promise;
      if (onDemand !== undefined) state.asked += 1;
      asked.delete(id);
      learnt.granted(round);
      learnt.ended();
      return NEVER;
    },
    hurry: () => undefined,
    onError: (error) => assert.fail(String(error)),
    now: () => state.now,
    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        const wake = (): void => {
          sleeping.delete(sleeper);
          resolve();
        };
        const sleeper = { at: state.now + milliseconds, wake };
        if (signal.aborted) return resolve();
        sleeping.add(sleeper);
        signal.addEventListener("abort", wake, { once: true });
      }),
  };
  /** A tenth of a second goes by; sessions that are open end with it. */
  const pass = async (ends = true): Promise<void> => {
    state.now += 100;
    for (const { at, wake } of [...sleeping]) if (at <= state.now) wake();
    if (ends)
      for (const [n, resolve] of [...open]) {
        open.delete(n);
        resolve(NEVER);
      }
    for (let turn = 0; turn < 20; turn += 1) await settle();
  };
  /** Meters are asked for on demand. */
  const ask = (...meters: readonly number[]): void => {
    for (const n of meters) {
      asked.add(n);
      due.set(n, state.now);
    }
  };
  return { ports, state, due, open, learnt, pass, ask };
}

test("where the custodian has no room less is leased until there is, and more again afterwards; nobody is lost", async () => {
  const under = crowded(4_000, 10);
  const worker = new Worker(under.ports, { ...OPTIONS, concurrency: 64 });
  worker.start();
  for (let n = 0; n < 20; n += 1) await under.pass();
  const first = under.state.refused;
  assert.ok(under.learnt.places < 20, `it takes ${under.learnt.places} where there is room for ten`);
  for (let n = 0; n < 200; n += 1) await under.pass();
  // Who leases 64 again and again is refused 54 times in each of them.
  const refused = under.state.refused - first;
  const read = 4_000 - under.due.size - under.open.size;
  assert.ok(refused > 0 && refused < read / 4, `${refused} refused beside ${read} read`);
  assert.equal(under.state.peak, 10);
  under.state.room = 1_000;
  for (let n = 0; n < 80; n += 1) await under.pass();
  assert.equal(under.learnt.places, 64);
  for (let n = 0; n < 60 && under.due.size + under.open.size > 0; n += 1) await under.pass();
  assert.deepEqual([under.due.size, under.open.size], [0, 0]);
  await worker.close();
});

test("a custodian that is away is asked seldom, by one at a time, and all goes on when it is back", async () => {
  const under = crowded(100, 0);
  const worker = new Worker(under.ports, { ...OPTIONS, concurrency: 64 });
  worker.start();
  for (let n = 0; n < 400; n += 1) await under.pass();
  const before = under.state.refused;
  for (let n = 0; n < 800; n += 1) await under.pass();
  // Eighty seconds: eight lie between two looks.
  assert.ok(under.state.refused - before <= 10, `${under.state.refused - before} looks`);
  assert.equal(under.learnt.places, 1);
  under.state.room = 64;
  for (let n = 0; n < 200 && under.due.size + under.open.size > 0; n += 1) await under.pass();
  assert.deepEqual([under.due.size, under.open.size, under.state.peak > 1], [0, 0, true]);
  await worker.close();
});

test("what is asked on demand does not wait while the custodian has no room for others, and comes again where it has none for it", async () => {
  const under = crowded(200, 8);
  const worker = new Worker(under.ports, { ...OPTIONS, concurrency: 64 });
  worker.start();
  for (let n = 0; n < 20; n += 1) await settle();
  assert.deepEqual([under.open.size, under.state.refused], [8, 56]);
  // Nobody else is leased now; these have no room either, and stay asked for.
  under.ask(500, 501);
  worker.wake();
  await under.pass(false);
  assert.equal(under.state.refused, 58);
  // Eight sessions end, and there is room: the next places are theirs.
  await under.pass();
  for (let n = 0; n < 100 && !under.open.has(500); n += 1) await under.pass(false);
  assert.ok(under.open.has(500) && under.open.has(501));
  assert.ok(under.open.size <= 2 + under.learnt.places, "and of the others no more than had room");
  // One that is asked while nothing is leased, and for whom there is room.
  under.state.room = 0;
  await under.pass();
  for (let n = 0; n < 200 && under.learnt.shutUntil <= under.state.now; n += 1) await under.pass();
  under.state.room = 8;
  under.ask(502);
  worker.wake();
  await under.pass(false);
  assert.ok(under.open.has(502) && under.open.size === 1);
  await under.pass();
  assert.equal(under.state.asked, 3);
  await worker.close();
});
