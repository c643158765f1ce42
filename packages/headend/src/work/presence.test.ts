import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { MeterId } from "../inventory/meter.ts";
import { openHeadEndDatabase } from "../testing/database.ts";
import { LANES } from "./lease.ts";
import { postgresWorkQueue } from "./postgres-queue.ts";
import { announceWorker, askedOf, askedText, type PresencePorts } from "./presence.ts";

const NOBODY = { onWork: () => undefined, onError: (error: unknown) => assert.fail(String(error)) };

/** Ports that say when something was heard the next time. */
function listening(): PresencePorts & { heard(): Promise<readonly number[]> } {
  let next = Promise.withResolvers<readonly number[]>();
  return {
    ...NOBODY,
    onWork: (asked) => next.resolve(asked),
    heard: async () => {
      const asked = await next.promise;
      next = Promise.withResolvers<readonly number[]>();
      return asked;
    },
  };
}

test("what a worker had leased that died is free again, here or at another; what the living hold is not", async () => {
  await using database = await openHeadEndDatabase(3);
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope);
  const now = Date.now();
  await queue.enrol(
    meters.map(({ id }) => id),
    now - 1,
    LANES.reading,
  );
  const [dead, living, watching] = [randomUUID(), randomUUID(), randomUUID()];
  const deaths = await announceWorker(pool, scope, dead, NOBODY);
  await using _living = await announceWorker(pool, scope, living, NOBODY);
  const [lost] = await queue.lease(dead, { any: 1, onDemand: 0 }, now, 3_600);
  const [held] = await queue.lease(living, { any: 1, onDemand: 0 }, now, 3_600);
  const ports = listening();
  await using _watching = await announceWorker(pool, scope, watching, ports);
  const [own] = await queue.lease(watching, { any: 1, onDemand: 0 }, now, 3_600);
  assert.deepEqual(await queue.lease(watching, { any: 3, onDemand: 0 }, now, 3_600), []);
  // Disposing closes the connection and says nothing else: a kill does the same.
  await deaths[Symbol.asyncDispose]();
  await ports.heard();
  const again = await queue.lease(watching, { any: 3, onDemand: 0 }, now, 3_600);
  assert.deepEqual(
    again.map(({ meter, epoch }) => [meter.id, epoch]),
    [[lost!.meter.id, lost!.epoch + 1n]],
  );
  const next = { dueAt: now, lane: LANES.reading, attempts: 0 };
  assert.equal(await queue.release({ meter: lost!.meter.id, epoch: lost!.epoch }, next), false);
  for (const { meter, epoch } of [held!, own!])
    assert.equal(await queue.release({ meter: meter.id, epoch }, next), true);
  const { rows } = await pool.query<{ owner: string }>("select owner from workers");
  assert.deepEqual(rows.map(({ owner }) => owner).sort(), [living, watching].sort());
});

test("a meter whose workers die waits longer after each, and one that was there once does not", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope);
  await queue.enrol([meters[0]!.id], Date.now() - 1, LANES.reading);
  const ports = listening();
  await using _watching = await announceWorker(pool, scope, randomUUID(), ports);
  const waits: number[] = [];
  for (let death = 0; death < 4; death += 1) {
    const owner = randomUUID();
    const worker = await announceWorker(pool, scope, owner, NOBODY);
    await pool.query("update work set due_at = '2026-01-01T00:00:00Z'");
    const [lease] = await queue.lease(owner, { any: 1, onDemand: 0 }, Date.now() + 1_000, 3_600);
    assert.equal(lease?.attempts, death);
    await worker[Symbol.asyncDispose]();
    await ports.heard();
    const { rows } = await pool.query<{ due: Date }>("select due_at as due from work");
    waits.push(rows[0]!.due.getTime());
  }
  const [first, ...later] = waits as [number, ...number[]];
  assert.equal(first, Date.parse("2026-01-01T00:00:00Z"), "it goes on at once");
  const [second, third, fourth] = later as [number, number, number];
  assert.ok(second > first && third > second && fourth > third);
});

test("a worker hears of work that anybody makes, and which of its place's meters were asked for", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope);
  const ports = listening();
  await using _worker = await announceWorker(pool, scope, randomUUID(), ports);
  await queue.due([meters[0]!.id], Date.now(), LANES.onDemand, "read");
  assert.deepEqual(await ports.heard(), [meters[0]!.id]);
  await queue.due([meters[0]!.id], Date.now(), LANES.reading);
  assert.deepEqual(await ports.heard(), []);
  const many = Array.from({ length: 501 }, (_, n) => (10_000_000 + n) as MeterId);
  assert.equal(askedText(scope, many), "");
  const most = askedText(scope, many.slice(1));
  assert.ok(most.length < 8_000);
  assert.deepEqual(askedOf(scope, most), many.slice(1));
  assert.deepEqual(askedOf({ ...scope, place: [scope.place[0], scope.place[1] + 1] }, most), []);
});

test("a presence whose connection is ended comes back: the lock is held, work is heard, and no lease of its own is freed", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope);
  await queue.enrol([meters[0]!.id], Date.now(), LANES.reading);
  const owner = randomUUID();
  const ports = listening();
  const lost = Promise.withResolvers<unknown>();
  await using _worker = await announceWorker(pool, scope, owner, { ...ports, onError: lost.resolve });
  const [own] = await queue.lease(owner, { any: 1, onDemand: 0 }, Date.now(), 3_600);
  const holders = async (): Promise<number[]> => {
    const { rows } = await pool.query<{ pid: number }>(
      `select pid from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and granted
         and database = (select oid from pg_database where datname = current_database())`,
    );
    return rows.map(({ pid }) => pid);
  };
  const [before, ...others] = await holders();
  assert.deepEqual(others, []);
  await pool.query("select pg_terminate_backend($1)", [before]);
  assert.match(String(await lost.promise), /terminat|connection/i);
  await ports.heard();
  const [after] = await holders();
  assert.notEqual(after, before);
  await queue.due([meters[1]!.id], Date.now(), LANES.onDemand, "read");
  await ports.heard();
  assert.deepEqual(
    (await queue.lease(randomUUID(), { any: 2, onDemand: 0 }, Date.now(), 60)).map(({ meter }) => meter.id),
    [meters[1]!.id],
    "the first meter's lease stands",
  );
  assert.equal(own?.meter.id, meters[0]!.id);
});
