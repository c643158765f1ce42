import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { ChannelTable } from "../reading/channels.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import type { Finished } from "./finish.ts";
import { LANES, type OnDemand } from "./lease.ts";
import { postgresWorkQueue } from "./postgres-queue.ts";
import { Results } from "./results.ts";

const NOON = Date.parse("2026-11-21T12:00:00Z");

/** A lease of one meter that brought nothing. */
async function finished({ pool, scope, meters }: HeadEndDatabase, index: number, onDemand?: OnDemand) {
  const queue = postgresWorkQueue(pool, scope);
  await queue.due([meters[index]!.id], NOON, LANES.reading, onDemand);
  const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, NOON, 60);
  assert.equal(lease?.onDemand, onDemand);
  return {
    lease: lease!,
    next: { dueAt: Number.POSITIVE_INFINITY, lane: LANES.reading, attempts: 0 },
  } satisfies Finished;
}

test("what somebody waits for waits for no transaction of many that is under way", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope } = database;
  const [ordinary, awaited] = [await finished(database, 0), await finished(database, 1, "verify")];
  const results = new Results(pool, scope, new ChannelTable(pool, scope));
  const holding = await pool.connect();
  try {
    await holding.query("begin");
    await holding.query("select from work where meter_id = $1 for update", [ordinary.lease.meter.id]);
    const writing = results.write(ordinary);
    await results.write(awaited);
    await holding.query("commit");
    await writing;
  } finally {
    holding.release(true);
  }
});

test("who is asked for in the midst of a session is gathered no more, be its result there already or not; the others are", async () => {
  await using database = await openHeadEndDatabase(3);
  const { pool, scope } = database;
  const [early, late, other] = [await finished(database, 0), await finished(database, 1), await finished(database, 2)];
  const gathering: (() => void)[] = [];
  const gather = (enough: () => void): (() => void) => {
    gathering.push(enough);
    return () => undefined;
  };
  const results = new Results(pool, scope, new ChannelTable(pool, scope), undefined, gather);
  const [waiting, also] = [results.write(early), results.write(other)];
  results.hurry([early.lease.meter.id, late.lease.meter.id]);
  await waiting;
  await results.write(late);
  const { rows } = await pool.query<{ meter_id: number }>("select meter_id from work where leased_by is not null");
  assert.deepEqual(rows, [{ meter_id: other.lease.meter.id }]);
  assert.equal(gathering.length, 1);
  gathering[0]!();
  await also;
  await results.settled();
});

test("a gathering whose results were all asked for meanwhile ends with nothing to write", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  const only = await finished(database, 0);
  const began = Promise.withResolvers<() => void>();
  const results = new Results(pool, scope, new ChannelTable(pool, scope), undefined, (enough) => {
    began.resolve(enough);
    return () => undefined;
  });
  const written = results.write(only);
  results.hurry([only.lease.meter.id]);
  assert.deepEqual(await written, { dueAt: Number.POSITIVE_INFINITY, lane: LANES.reading });
  (await began.promise)();
  await results.settled();
});
