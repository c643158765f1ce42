import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { openHeadEndDatabase } from "../testing/database.ts";
import { LANES } from "./lease.ts";
import { postgresWorkQueue } from "./postgres-queue.ts";
import { announceWorker } from "./presence.ts";

const NOBODY = { onWork: () => undefined, onError: (error: unknown) => assert.fail(String(error)) };

test("who finds himself alone frees the leases of the dead; who does not, leaves them", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope);
  const now = Date.now();
  await queue.due(
    meters.map(({ id }) => id),
    now - 1,
    LANES.reading,
  );
  const [dead] = await queue.lease(randomUUID(), 1, now, 3_600);
  {
    await using _first = await announceWorker(pool, scope, NOBODY);
    const [again, other] = await queue.lease(randomUUID(), 2, now, 3_600);
    assert.deepEqual([again, other].map((lease) => lease?.epoch).sort(), [1n, 2n]);
    assert.equal(
      await queue.release(
        { meter: dead!.meter.id, epoch: dead!.epoch },
        { dueAt: now, lane: LANES.reading, attempts: 0 },
      ),
      false,
    );
    await using _second = await announceWorker(pool, scope, NOBODY);
    assert.deepEqual(await queue.lease(randomUUID(), 2, now, 3_600), []);
  }
});

test("a worker hears of work that anybody makes", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope);
  const heard = Promise.withResolvers<void>();
  await using _worker = await announceWorker(pool, scope, { ...NOBODY, onWork: heard.resolve });
  await queue.due([meters[0]!.id], Date.now(), LANES.onDemand, "read");
  await heard.promise;
});

test("a presence whose connection is ended comes back: the lock is held, work is heard, and no lease of its own is freed", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope);
  await queue.enrol([meters[0]!.id], Date.now(), LANES.reading);
  let heard = Promise.withResolvers<void>();
  const lost = Promise.withResolvers<unknown>();
  await using _worker = await announceWorker(pool, scope, {
    onWork: () => heard.resolve(),
    onError: (error) => lost.resolve(error),
  });
  const [own] = await queue.lease(randomUUID(), 1, Date.now(), 3_600);
  const holders = async (): Promise<number[]> => {
    const { rows } = await pool.query<{ pid: number }>(
      `select pid from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and granted
         and database = (select oid from pg_database where datname = current_database())`,
    );
    return rows.map(({ pid }) => pid);
  };
  const [before, ...others] = await holders();
  assert.deepEqual(others, []);
  heard = Promise.withResolvers();
  await pool.query("select pg_terminate_backend($1)", [before]);
  assert.match(String(await lost.promise), /terminat|connection/i);
  await heard.promise;
  const [after] = await holders();
  assert.notEqual(after, before);
  heard = Promise.withResolvers();
  await queue.due([meters[1]!.id], Date.now(), LANES.onDemand, "read");
  await heard.promise;
  assert.deepEqual(
    (await queue.lease(randomUUID(), 2, Date.now(), 60)).map(({ meter }) => meter.id),
    [meters[1]!.id],
    "the first meter's lease stands",
  );
  assert.equal(own?.meter.id, meters[0]!.id);
});
