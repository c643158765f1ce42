import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { openHeadEndDatabase } from "../testing/database.ts";
import { LANES } from "./lease.ts";
import { postgresWorkQueue } from "./postgres-queue.ts";
import { announceWorker } from "./presence.ts";

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
    await using _first = await announceWorker(pool, scope, () => undefined);
    const [again, other] = await queue.lease(randomUUID(), 2, now, 3_600);
    assert.deepEqual([again, other].map((lease) => lease?.epoch).sort(), [1n, 2n]);
    assert.equal(
      await queue.release(
        { meter: dead!.meter.id, epoch: dead!.epoch },
        { dueAt: now, lane: LANES.reading, attempts: 0 },
      ),
      false,
    );
    await using _second = await announceWorker(pool, scope, () => undefined);
    assert.deepEqual(await queue.lease(randomUUID(), 2, now, 3_600), []);
  }
});

test("a worker hears of work that anybody makes", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope);
  const heard = Promise.withResolvers<void>();
  await using _worker = await announceWorker(pool, scope, heard.resolve);
  await queue.due([meters[0]!.id], Date.now(), LANES.onDemand, "read");
  await heard.promise;
});
