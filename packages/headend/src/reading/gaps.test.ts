import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import fc from "fast-check";
import type { Meter, MeterId } from "../inventory/meter.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { timeZone, UTC } from "../time/time-zone.ts";
import { missingIntervals } from "../view/missing.ts";
import { LANES } from "../work/lease.ts";
import { postgresWorkQueue } from "../work/postgres-queue.ts";
import { sweepGaps } from "../work/sweep.ts";
import { cover, intervalCount, missing, type Stretch } from "./coverage.ts";
import { KEPT_PROFILES, type KeptProfile, wantedIntervals, wantedOf } from "./gaps.ts";
import { lastWholeDay, markSla, type SlaDay, slaBoard } from "./sla.ts";
import { slaGaps } from "./sla-gaps.ts";

const QUARTER = 900_000;
const DAY = 86_400_000;
const BEGIN = Date.parse("2026-11-20T00:00:00Z");
const HOUR = 3_600_000;

let database: HeadEndDatabase;
before(async () => {
  database = await openHeadEndDatabase(4);
  const { pool } = database;
  await pool.query("update takeovers set phase = 'done', verdict = 'accepted' where meter_id <= 3");
});
after(() => database[Symbol.asyncDispose]());

async function setCovered(meter: number, stretches: readonly Stretch[], of: KeptProfile = "load"): Promise<void> {
  await database.pool.query(
    `update interval_coverage set ${KEPT_PROFILES[of]}covered = (select coalesce(range_agg(tstzrange(f, t, '(]')), '{}')
       from unnest($2::timestamptz[], $3::timestamptz[]) as s(f, t)) where meter_id = $1`,
    [meter, stretches.map(({ from }) => new Date(from)), stretches.map(({ to }) => new Date(to))],
  );
}

const at = (hours: number, sourceNow = hours): SlaDay => ({
  kind: "simulated",
  day: BEGIN,
  zone: UTC,
  sourceNow: BEGIN + sourceNow * HOUR,
});

test("a lease, the sweep, the meter's page and the board see the same gaps, and they are what is wanted less what is covered", async () => {
  const { pool, scope, meters } = database;
  const meter = meters[0]!;
  const stretch = fc
    .tuple(fc.nat(40), fc.nat(40))
    .map(([a, b]): Stretch => ({ from: BEGIN + Math.min(a, b) * QUARTER, to: BEGIN + Math.max(a, b) * QUARTER }));
  const window = { from: BEGIN, to: BEGIN + 32 * QUARTER };
  const queue = postgresWorkQueue(pool, scope, () => wantedOf(() => window));
  await fc.assert(
    fc.asyncProperty(fc.array(stretch, { maxLength: 5 }), async (stretches) => {
      const covered = stretches.reduce<readonly Stretch[]>(cover, []);
      const expected = missing(covered, window);
      await setCovered(meter.id, stretches);
      await queue.due([meter.id], BEGIN, LANES.reading);
      const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, BEGIN, 60);
      await queue.release(
        { meter: meter.id, epoch: lease!.epoch },
        { dueAt: BEGIN + DAY, lane: LANES.reading, attempts: 0 },
      );
      assert.deepEqual(lease?.gaps, expected);
      const wanted = wantedOf(() => window);
      assert.deepEqual(await missingIntervals(pool, scope, meter, wanted), {
        load: intervalCount(expected, 900),
        quality: undefined,
      });
      const board = await slaGaps(pool, scope, at(0, 8 + 0.01), { after: 0, limit: 1 });
      const shown = board.meters.filter(({ systemTitle }) => systemTitle === meter.title);
      assert.deepEqual(
        shown.flatMap(({ gaps }) => gaps.map(({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) }))),
        expected,
      );
      assert.equal(await sweepGaps(pool, scope, wanted, BEGIN), expected.length === 0 ? 0 : 1);
    }),
    { numRuns: 40 },
  );
});

test("the board counts intervals that have settled, of meters that are in service, feeder by feeder", async () => {
  const { pool, scope, meters } = database;
  const whole = { from: BEGIN, to: BEGIN + DAY };
  await setCovered(meters[0]!.id, [whole]);
  await setCovered(meters[1]!.id, [{ from: BEGIN, to: BEGIN + DAY / 2 }]);
  await setCovered(meters[2]!.id, []);
  await setCovered(meters[3]!.id, [whole]);
  const board = await slaBoard(pool, scope, at(0, 25), BEGIN);
  assert.deepEqual(
    [board.meters, board.complete, board.wanted, board.held, board.missing, board.notInService, board.unreadable],
    [3, 1, 288, 144, 144, 1, 0],
  );
  assert.deepEqual(
    board.targets.map(({ state, dueAt }) => [state, dueAt]),
    [
      ["open", "2026-11-21T08:00:00.000Z"],
      ["open", "2026-11-22T00:00:00.000Z"],
    ],
  );
  const early = await slaBoard(pool, scope, at(0, 6.004), BEGIN);
  assert.deepEqual([early.wanted, early.held], [69, 46], "the interval that ended 14 seconds ago is not due yet");
  const { meters: gaps, next } = await slaGaps(pool, scope, at(0, 25), { after: 0, limit: 1 });
  assert.deepEqual(
    gaps.map(({ systemTitle, missing: count, gaps: [gap] }) => [systemTitle, count, gap?.from, gap?.to]),
    [[meters[1]!.title, 48, "2026-11-20T12:00:00.000Z", "2026-11-21T00:00:00.000Z"]],
  );
  const rest = await slaGaps(pool, scope, at(0, 25), { after: Number(next), limit: 9 });
  assert.deepEqual([rest.meters.map(({ missing: count }) => count), rest.next], [[96], undefined]);
});

test("what was held at a deadline is written down once, and what comes later does not mend it", async () => {
  const { pool, scope, meters } = database;
  const whole = { from: BEGIN, to: BEGIN + DAY };
  for (const meter of meters) await setCovered(meter.id, [whole]);
  await setCovered(meters[2]!.id, [{ from: BEGIN + 6 * QUARTER, to: BEGIN + DAY }]);
  assert.equal(await markSla(pool, scope, "simulated", UTC, BEGIN + 31 * HOUR, BEGIN + 30 * HOUR), 0, "not yet");
  assert.equal(await markSla(pool, scope, "simulated", UTC, BEGIN + 32 * HOUR, BEGIN + 30 * HOUR), 1);
  await setCovered(meters[2]!.id, [whole]);
  assert.equal(await markSla(pool, scope, "simulated", UTC, BEGIN + 33 * HOUR, BEGIN + 33 * HOUR), 0);
  assert.equal(await markSla(pool, scope, "real", UTC, BEGIN + 33 * HOUR, BEGIN), 0, "there are no real meters");
  const { targets, history } = await slaBoard(pool, scope, at(0, 33), BEGIN);
  assert.deepEqual(
    targets.map(({ share, state, counted }) => [share, state, counted?.held]),
    [
      [0.98, "missed", 282],
      [0.995, "met", undefined],
    ],
  );
  assert.deepEqual(
    history.map(({ day, target, met, held, wanted }) => [day, target, met, held, wanted]),
    [["2026-11-20", 0.98, false, 282, 288]],
  );
  await setCovered(meters[2]!.id, []);
  const late = await slaBoard(pool, scope, at(0, 49), BEGIN);
  assert.equal(late.targets[1]?.state, "missed", "nobody counted at midnight, and it is not held now");
});

test("what is wanted ends with the last interval that has settled, on the grid of how often meters are read", () => {
  const now = BEGIN + 6 * HOUR + 20_000;
  const [quarterly] = wantedIntervals(() => WALL_SOURCE_CLOCK, { days: 2, everySeconds: 0, powerQuality: false })(now);
  assert.deepEqual(quarterly?.window, { from: BEGIN - 2 * DAY + 6 * HOUR, to: BEGIN + 6 * HOUR - QUARTER });
  const [daily] = wantedIntervals(() => WALL_SOURCE_CLOCK, {
    days: 2,
    everySeconds: 86_400,
    powerQuality: true,
  })(now);
  assert.deepEqual(daily?.window, { from: BEGIN - 2 * DAY, to: BEGIN });
  assert.equal(quarterly?.quality, undefined);
  assert.deepEqual(daily?.quality, { periodSeconds: 600, window: { from: BEGIN - 2 * DAY, to: BEGIN } });
});

test("power quality has gaps of its own: a lease, the sweep, the meter's page and the board see the same, in its own intervals", async () => {
  const { pool, scope, meters } = database;
  const [meter, other, third] = meters as [Meter, Meter, Meter];
  const whole = { from: BEGIN, to: BEGIN + DAY };
  const kept = { from: BEGIN, to: BEGIN + 18 * HOUR };
  const hole = { from: kept.to, to: whole.to };
  for (const one of meters) await setCovered(one.id, [whole]);
  await setCovered(meter.id, [kept], "quality");
  for (const one of [other, third]) await setCovered(one.id, [whole], "quality");
  const wanted = wantedOf(
    () => whole,
    () => whole,
  );
  const queue = postgresWorkQueue(pool, scope, () => wanted);
  const leased = async (id: MeterId) => {
    await queue.due([id], BEGIN, LANES.reading);
    const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, BEGIN, 60);
    await queue.release({ meter: id, epoch: lease!.epoch }, { dueAt: BEGIN + DAY, lane: LANES.reading, attempts: 0 });
    return lease;
  };
  assert.deepEqual([(await leased(meter.id))?.gaps, (await leased(meter.id))?.qualityGaps], [[], [hole]]);
  assert.equal((await leased(other.id))?.qualityGaps, undefined, "it is held");
  assert.deepEqual(await missingIntervals(pool, scope, meter, wanted), { load: 0, quality: 36 });
  assert.equal(await sweepGaps(pool, scope, wanted, BEGIN), 1, "a gap of it makes its meter due, and no other");
  const day: SlaDay = { ...at(0, 25), powerQuality: true };
  const board = await slaBoard(pool, scope, day, BEGIN);
  assert.deepEqual(board.powerQuality, { wanted: 3 * 144, held: 3 * 144 - 36, excused: 0, absent: 0, missing: 36 });
  assert.deepEqual([board.missing, board.complete, board.meters], [0, 3, 3], "no target is about it");
  const { meters: told } = await slaGaps(pool, scope, day, { after: 0, limit: 9 });
  assert.deepEqual(
    told.map(({ systemTitle, missing: load, gaps, quality }) => [systemTitle, load, gaps, quality]),
    [
      [
        meter.title,
        0,
        [],
        { missing: 36, gaps: [{ from: new Date(hole.from).toISOString(), to: new Date(hole.to).toISOString() }] },
      ],
    ],
  );
  assert.deepEqual((await slaGaps(pool, scope, at(0, 25), { after: 0, limit: 9 })).meters, [], "it is not collected");
  assert.equal((await slaBoard(pool, scope, at(0, 25), BEGIN)).powerQuality, undefined);
  const midday = await slaBoard(pool, scope, { ...at(0, 12), powerQuality: true }, BEGIN);
  assert.equal(midday.powerQuality?.wanted, 0, "the day has not ended");
});

test("days and deadlines are by the clocks of the utility, and a day in which they change has an hour more or less", async () => {
  const { pool, scope } = database;
  const zone = timeZone("Europe/Berlin");
  const board = async (text: string) => {
    const day = Date.parse(`${text}T00:00:00Z`);
    const {
      wanted,
      meters,
      targets,
      timeZone: name,
    } = await slaBoard(pool, scope, { kind: "simulated", day, zone, sourceNow: day + 2 * DAY }, 0);
    return [name, wanted / meters, ...targets.map(({ dueAt }) => dueAt)];
  };
  assert.deepEqual(await board("2026-03-29"), [
    "Europe/Berlin",
    92,
    "2026-03-30T06:00:00.000Z",
    "2026-03-30T22:00:00.000Z",
  ]);
  assert.deepEqual(await board("2026-10-25"), [
    "Europe/Berlin",
    100,
    "2026-10-26T07:00:00.000Z",
    "2026-10-26T23:00:00.000Z",
  ]);
  assert.deepEqual(await board("2026-10-24"), [
    "Europe/Berlin",
    96,
    "2026-10-25T07:00:00.000Z",
    "2026-10-25T23:00:00.000Z",
  ]);
  assert.equal(lastWholeDay(zone, Date.parse("2026-07-01T22:30:00Z")), Date.parse("2026-07-01T00:00:00Z"));
  assert.equal(lastWholeDay(zone, Date.parse("2026-07-01T21:30:00Z")), Date.parse("2026-06-30T00:00:00Z"));
});

test("a meter that has left is missed by nobody: not by the board, not by the list of gaps, not on its own page", async () => {
  const { pool, scope, meters } = database;
  const last = meters[3]!;
  await pool.query("update takeovers set phase = 'done' where meter_id = $1", [last.id]);
  await setCovered(last.id, []);
  const day = at(24, 40);
  const before = await slaBoard(pool, scope, day, BEGIN);
  await pool.query("update takeovers set phase = 'left' where meter_id = $1", [last.id]);
  const board = await slaBoard(pool, scope, day, BEGIN);
  assert.deepEqual([board.meters, board.notInService], [before.meters - 1, before.notInService]);
  assert.ok(board.missing < before.missing);
  const { meters: gaps } = await slaGaps(pool, scope, day, { after: 0, limit: 10 });
  assert.ok(gaps.every(({ systemTitle }) => systemTitle !== last.title));
  const wanted = wantedOf(() => ({ from: BEGIN, to: BEGIN + DAY }));
  assert.deepEqual(await missingIntervals(pool, scope, last, wanted), { load: 0, quality: undefined });
});
