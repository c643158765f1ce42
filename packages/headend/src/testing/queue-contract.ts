import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { Meter } from "../inventory/meter.ts";
import { dueAsHeard, LANES, type Lease, ON_DEMAND_SECONDS, type WorkQueue } from "../work/lease.ts";

/** A fresh queue over some meters, none of which is in it yet. */
export interface QueueUnderTest extends AsyncDisposable {
  readonly queue: WorkQueue;
  readonly meters: readonly Meter[];
  /** Makes it so late that leases have run out, where they last by another clock than that of whoever asks. */
  pass?(): Promise<void>;
}

const NOW = Date.parse("2026-11-21T12:00:00Z");
const LEASE_SECONDS = 60;

/** What every adapter of `WorkQueue` does. `open` gives a queue over at least eight meters. */
export function workQueueContract(name: string, open: () => Promise<QueueUnderTest>): void {
  const withQueue = (body: (under: QueueUnderTest) => Promise<void>) => async (): Promise<void> => {
    await using under = await open();
    await body(under);
  };
  const lease = (queue: WorkQueue, count: number, now = NOW): Promise<readonly Lease[]> =>
    queue.lease(randomUUID(), { any: count, onDemand: 0 }, now, LEASE_SECONDS);

  test(
    `${name}: leases what is due, on-demand first and the longest due before others`,
    withQueue(async ({ queue, meters }) => {
      const [a, b, c, d] = meters.map(({ id }) => id);
      await queue.due([a!], NOW - 1_000, LANES.reading);
      await queue.due([b!], NOW - 9_000, LANES.reading);
      await queue.due([c!], NOW - 1, LANES.onDemand, "verify");
      await queue.due([d!], NOW + 1, LANES.onDemand);
      const leased = await lease(queue, 10);
      assert.deepEqual(
        leased.map(({ meter, onDemand, lane: of }) => [meter.id, onDemand, of]),
        [
          [c, "verify", LANES.onDemand],
          [b, undefined, LANES.reading],
          [a, undefined, LANES.reading],
        ],
      );
      assert.equal(await queue.nextDue(), NOW + 1);
    }),
  );

  test(
    `${name}: takeovers come first, and do not keep readings waiting`,
    withQueue(async ({ queue, meters }) => {
      const ids = meters.slice(0, 8).map(({ id }) => id);
      await queue.due(ids.slice(0, 6), NOW - 9_000, LANES.takeover);
      await queue.due(ids.slice(6), NOW - 1, LANES.reading);
      const taken = async (count: number) => (await lease(queue, count)).map(({ meter }) => ids.indexOf(meter.id) < 6);
      assert.deepEqual(await taken(4), [true, true, true, false]);
      assert.deepEqual(await taken(3), [true, true, true]);
      assert.deepEqual(await taken(4), [false]);
    }),
  );

  test(
    `${name}: places for what is asked on demand are nobody else's`,
    withQueue(async ({ queue, meters }) => {
      const ids = meters.slice(0, 8).map(({ id }) => id);
      await queue.due(ids.slice(0, 2), NOW - 9_000, LANES.reading);
      await queue.due(ids.slice(2, 4), NOW - 9_000, LANES.takeover);
      await queue.due(ids.slice(4), NOW - 1, LANES.onDemand, "verify");
      const taken = async (any: number, onDemand: number) =>
        (await queue.lease(randomUUID(), { any, onDemand }, NOW, LEASE_SECONDS)).map(({ meter }) =>
          ids.indexOf(meter.id),
        );
      assert.deepEqual((await taken(0, 1)).length, 1);
      assert.deepEqual((await taken(0, 9)).length, 3);
      assert.deepEqual(await taken(0, 9), []);
      assert.deepEqual((await taken(8, 9)).length, 4);
    }),
  );

  test(
    `${name}: meters that call at once come before readings, and behind what somebody asks for`,
    withQueue(async ({ queue, meters }) => {
      const [asked, overdue, ...callers] = meters.slice(0, 8).map(({ id }) => id);
      const taken = async (any: number, onDemand: number) =>
        (await queue.lease(randomUUID(), { any, onDemand }, NOW, LEASE_SECONDS)).map(({ meter }) => meter.id);
      await queue.due([overdue!], NOW - 9_000, LANES.reading);
      for (const caller of callers) await dueAsHeard(queue, caller, NOW - 5_000);
      await queue.due([asked!], NOW - 1, LANES.onDemand, "read");
      await dueAsHeard(queue, asked!, NOW);
      assert.deepEqual(await taken(0, 9), [asked], "who asks waits for none of them, nor for a place of theirs");
      const first = await taken(3, 0);
      assert.deepEqual([first.length, first.includes(overdue!)], [3, false]);
      const rest = await taken(4, 0);
      assert.deepEqual([...first, ...rest].toSorted(), [...callers, overdue].toSorted(), "a reading has its share");
    }),
  );

  test(
    `${name}: what was asked for and could not be begun stays asked for, as long as that is not too old`,
    withQueue(async ({ queue, meters }) => {
      const { id } = meters[0]!;
      await queue.due([id], NOW, LANES.onDemand, "verify");
      const putBack = async (now: number): Promise<Lease["onDemand"]> => {
        const [leased] = await lease(queue, 1, now);
        const { onDemand, epoch } = leased!;
        const next = { dueAt: now + 1_000, lane: LANES.onDemand, attempts: 0, ...(onDemand && { onDemand }) };
        assert.ok(await queue.release({ meter: id, epoch }, next));
        return onDemand;
      };
      assert.deepEqual([await putBack(NOW), await putBack(NOW + 1_000)], ["verify", "verify"]);
      assert.equal(await putBack(NOW + ON_DEMAND_SECONDS * 1000 + 1), undefined);
      assert.equal(await putBack(NOW + ON_DEMAND_SECONDS * 1000 + 1_001), undefined);
    }),
  );

  test(
    `${name}: what was asked for too long ago is not done any more`,
    withQueue(async ({ queue, meters }) => {
      const [a, b] = meters.map(({ id }) => id);
      await queue.due([a!, b!], NOW, LANES.onDemand, "verify");
      await queue.due([b!], NOW + 1_000, LANES.onDemand, "command");
      const leased = await lease(queue, 2, NOW + ON_DEMAND_SECONDS * 1000 + 1);
      assert.deepEqual(leased.map(({ meter, onDemand }) => [meter.id, onDemand]).sort(), [
        [a, undefined],
        [b, "command"],
      ]);
    }),
  );

  test(
    `${name}: what is asked for during a lease comes after it`,
    withQueue(async ({ queue, meters }) => {
      const [a, b] = meters.map(({ id }) => id);
      await queue.due([a!, b!], NOW - 1_000, LANES.reading);
      const held = await lease(queue, 2);
      await queue.due([a!, a!], NOW - 1, LANES.takeover, "rotate");
      assert.deepEqual(await lease(queue, 2), []);
      const next = { dueAt: NOW + 60_000, lane: LANES.reading, attempts: 0 };
      for (const { meter, epoch } of held) assert.equal(await queue.release({ meter: meter.id, epoch }, next), true);
      const [asked, ...others] = await lease(queue, 2);
      assert.deepEqual([asked?.meter.id, asked?.onDemand, others], [a, "rotate", []]);
      await queue.release({ meter: a!, epoch: asked!.epoch }, next);
      assert.equal(await queue.nextDue(), NOW + 60_000, "once is enough");
    }),
  );

  test(
    `${name}: a meter has one owner at a time`,
    withQueue(async ({ queue, meters }) => {
      await queue.due(
        meters.map(({ id }) => id),
        NOW - 1,
        LANES.reading,
      );
      const leases = await Promise.all(Array.from({ length: 6 }, () => lease(queue, 3)));
      const ids = leases.flat().map(({ meter }) => meter.id);
      assert.equal(new Set(ids).size, ids.length);
      assert.deepEqual(await lease(queue, 100, NOW + 1).then((more) => more.length), meters.length - ids.length);
      assert.equal((await lease(queue, 100, NOW + 2)).length, 0);
    }),
  );

  test(
    `${name}: a lease that ran out is given again, and fences the first one off`,
    withQueue(async ({ queue, meters, pass }) => {
      const meter = meters[0]!.id;
      await queue.due([meter], NOW, LANES.reading);
      const [first] = await lease(queue, 1);
      assert.deepEqual(await lease(queue, 1, NOW + LEASE_SECONDS * 1000 - 1), []);
      await pass?.();
      const [second] = await lease(queue, 1, NOW + LEASE_SECONDS * 1000 + 1);
      assert.equal(second!.epoch, first!.epoch + 1n);
      assert.deepEqual([first!.attempts, second!.attempts], [0, 1], "whatever ended it was a failure");
      const next = { dueAt: NOW + 900_000, lane: LANES.reading, attempts: 0 };
      assert.equal(await queue.release({ meter, epoch: first!.epoch }, next), false);
      assert.equal(await queue.release({ meter, epoch: second!.epoch }, next), true);
      assert.equal(await queue.release({ meter, epoch: second!.epoch }, next), false);
      assert.equal(await queue.nextDue(), next.dueAt);
    }),
  );

  test(
    `${name}: an owner that has lost track gives back what it does not hold, and nobody else's`,
    withQueue(async ({ queue, meters }) => {
      const [a, b, c] = meters.map(({ id }) => id);
      const owner = randomUUID();
      await queue.due([a!, b!], NOW - 1, LANES.takeover);
      const leases = await queue.lease(owner, { any: 9, onDemand: 0 }, NOW, LEASE_SECONDS);
      await queue.due([c!], NOW - 1, LANES.reading);
      await lease(queue, 9);
      await queue.abandon(owner, [a!], NOW);
      assert.deepEqual(await lease(queue, 9), [], "not before a pause");
      const again = await lease(queue, 9, NOW + 3_000);
      assert.deepEqual(
        again.map(({ meter, attempts }) => [meter.id, attempts]),
        [[b, 1]],
      );
      const next = { dueAt: NOW + 900_000, lane: LANES.reading, attempts: 0 };
      const given = (meter: number) => leases.find((one) => one.meter.id === meter)!;
      assert.equal(await queue.release({ meter: b!, epoch: given(b!).epoch }, next), false);
      assert.equal(await queue.release({ meter: a!, epoch: given(a!).epoch }, next), true);
    }),
  );

  test(
    `${name}: failures are counted, and asking on demand is answered once`,
    withQueue(async ({ queue, meters }) => {
      const meter = meters[0]!.id;
      await queue.due([meter], NOW, LANES.onDemand, "read");
      const [first] = await lease(queue, 1);
      await queue.release(
        { meter, epoch: first!.epoch },
        { dueAt: NOW, lane: LANES.reading, attempts: first!.attempts + 1, code: "response-timeout" },
      );
      const [second] = await lease(queue, 1);
      assert.equal(second!.attempts, 1);
      assert.equal(second!.onDemand, undefined);
    }),
  );

  test(
    `${name}: enrolling leaves what is in the queue as it is, and what is never due is not leased`,
    withQueue(async ({ queue, meters }) => {
      const [a, b] = meters.map(({ id }) => id);
      await queue.due([a!], NOW + 5_000, LANES.reading);
      await queue.enrol([a!], NOW, LANES.takeover);
      await queue.enrol([b!], Number.POSITIVE_INFINITY, LANES.reading);
      assert.deepEqual(await lease(queue, 9, NOW + 4_000), []);
      assert.equal(await queue.nextDue(), NOW + 5_000);
      await queue.due([b!], NOW, LANES.reading);
      assert.deepEqual(
        (await lease(queue, 9)).map(({ meter }) => meter.id),
        [b],
      );
    }),
  );
}
