import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { inTransaction } from "@meterkeep/postgres";
import { METER_PROFILES } from "../profile/meter-profile.ts";
import { evidenceHash } from "../session/ladder.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import { UTC } from "../time/time-zone.ts";
import { LANES } from "../work/lease.ts";
import { postgresWorkQueue } from "../work/postgres-queue.ts";
import { answeredRows } from "./answered-rows.ts";
import { ChannelTable } from "./channels.ts";
import type { Stretch } from "./coverage.ts";
import { wantedOf } from "./gaps.ts";
import { heldIntervals } from "./held-intervals.ts";
import type { EvidenceRecord, ReadResult } from "./result.ts";
import { type SlaDay, slaBoard } from "./sla.ts";
import { writeReadings } from "./write.ts";

const QUARTER = 900_000;
const DAY = 86_400_000;
const BEGIN = Date.parse("2026-11-20T00:00:00Z");
const WHOLE = { from: BEGIN, to: BEGIN + DAY };
const TODAY: SlaDay = { kind: "simulated", day: BEGIN, zone: UTC, sourceNow: BEGIN + DAY + QUARTER };
const [DRAWN, FED] = ["1-0:1.8.0", "1-0:2.8.0"] as const;
const EVERY = Array.from({ length: 96 }, (_, n) => n + 1);

let database: HeadEndDatabase;
before(async () => {
  database = await openHeadEndDatabase(1);
  await database.pool.query("update takeovers set phase = 'done', verdict = 'accepted'");
});
after(() => database[Symbol.asyncDispose]());

/** What is wanted of the day and is asked for, as a lease has it. */
async function gaps(): Promise<readonly Stretch[]> {
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope, () => wantedOf(() => WHOLE));
  await queue.due([meters[0]!.id], Date.now(), LANES.onDemand);
  const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, Date.now() + 1_000, 60);
  await queue.release({ meter: lease!.meter.id, epoch: lease!.epoch }, { dueAt: Infinity, lane: 2, attempts: 0 });
  return lease!.gaps;
}

/** Answers all that is asked for with the rows that there are: quarter hours from 1 on, with the channels of each. */
async function answer(
  slots: readonly number[],
  channelsOf: (slot: number) => readonly string[] = () => [DRAWN, FED],
  more: Partial<ReadResult> = {},
): Promise<void> {
  const { pool, scope, meters } = database;
  const channels = new ChannelTable(pool, scope);
  const octets = new Uint8Array(randomBytes(32));
  const hash = evidenceHash(octets);
  const evidence: EvidenceRecord = {
    hash,
    octets,
    plain: octets,
    protection: "authenticated",
    receivedAt: TODAY.sourceNow,
  };
  const rows = slots.map((slot) => ({
    at: BEGIN + slot * QUARTER,
    intervals: channelsOf(slot).map((obis) => ({
      obis,
      unit: "Wh",
      at: BEGIN + slot * QUARTER,
      value: slot,
      status: 0,
      evidence,
    })),
  }));
  const { loadProfile } = METER_PROFILES["idis-p2"];
  const answered = (await gaps()).flatMap((gap) => answeredRows(rows, gap, loadProfile, TODAY.sourceNow) ?? []);
  const read: ReadResult = {
    registers: [],
    intervals: rows.flatMap(({ intervals }) => intervals),
    covered: answered.map(({ stretch }) => stretch),
    lacking: answered.flatMap(({ lacking }) => lacking),
    outages: answered.flatMap(({ outages }) => outages),
    periodSeconds: 900,
    ...more,
  };
  await channels.prepare(read.intervals);
  await inTransaction(pool, (sql) =>
    writeReadings(sql, scope, channels, [{ meter: meters[0]!.id, trustHistory: [], read }]),
  );
}

async function board() {
  const { pool, scope } = database;
  const { held, excused, absent, missing, channels, complete, targets } = await slaBoard(pool, scope, TODAY, 0);
  return { held, excused, absent, missing, channels, complete, isMet: targets[1]?.state === "met" };
}

/** Values of a channel that are stored. */
async function stored(obis: string): Promise<number> {
  const { pool, scope, meters } = database;
  const meter = meters[0]!.id;
  const { rows } = await pool.query("select channel_id from channels where obis = $1", [obis]);
  const held = (await heldIntervals(pool, scope, [meter], WHOLE.from + 1, WHOLE.to)).get(meter) ?? [];
  return held.filter(({ channel }) => channel === rows[0]?.channel_id).length;
}

async function forget(): Promise<void> {
  const { pool } = database;
  await pool.query(
    `update interval_coverage set covered = '{}', doubted = '{}', absent = '{}', excused = '{}', quality_covered = '{}',
       quality_doubted = '{}', quality_absent = '{}', quality_excused = '{}'`,
  );
  await pool.query("update channel_absences set absent = '{}', excused = '{}'");
  for (const table of ["interval_readings", "meter_days", "meter_events"]) await pool.query(`delete from ${table}`);
}

test("what was asked for and did not come is not held: it is asked for once more, and then it is absent", async () => {
  await forget();
  await answer([]);
  const once = await board();
  assert.deepEqual([once.held, once.absent, once.missing], [0, 0, 96], "a wiped profile");
  assert.deepEqual(await gaps(), [WHOLE]);
  await answer([]);
  const twice = await board();
  assert.deepEqual([twice.held, twice.absent, twice.missing, twice.complete], [0, 96, 0, 0]);
  assert.deepEqual(await gaps(), [], "nobody asks for ever");
  assert.equal(twice.isMet, false);
});

test("rows every half hour hold half of the quarter hours, and the board counts by channel what is stored", async () => {
  await forget();
  const halves = EVERY.filter((slot) => slot % 2 === 0);
  const channelsOf = (slot: number): readonly string[] => (slot % 4 === 0 ? [DRAWN] : [DRAWN, FED]);
  for (const _ of [1, 2]) await answer(halves, channelsOf);
  const { held, absent, missing, channels } = await board();
  assert.deepEqual([held, absent, missing], [24, 72, 0]);
  for (const [obis, count] of [
    [DRAWN, 48],
    [FED, 24],
  ] as const) {
    assert.equal(await stored(obis), count);
    const { held: ofChannel, absent: lacks, wanted } = channels.find((channel) => channel.obis === obis)!;
    assert.deepEqual([ofChannel, lacks, wanted], [count, 96 - count, 96]);
  }
});

test("a hole before a row that says that power came back is excused at once, and no target is missed for it", async () => {
  await forget();
  const outage = { from: BEGIN + 10 * QUARTER, to: BEGIN + 20 * QUARTER };
  await answer(
    EVERY.filter((slot) => slot <= 10 || slot > 20),
    undefined,
    { outages: [outage] },
  );
  const { held, excused, absent, missing, complete, isMet, channels } = await board();
  assert.deepEqual([held, excused, absent, missing, complete, isMet], [86, 10, 0, 0, 1, true]);
  assert.deepEqual(
    channels.map((channel) => channel.excused),
    [10, 10],
  );
  assert.deepEqual(await gaps(), []);
});

test("a log that tells of the power failure later excuses what was absent, and nothing beside it", async () => {
  await forget();
  for (const _ of [1, 2]) await answer(EVERY.filter((slot) => slot <= 10 || slot > 20));
  assert.equal((await board()).absent, 10);
  const octets = new Uint8Array(randomBytes(32));
  const evidence: EvidenceRecord = {
    hash: evidenceHash(octets),
    octets,
    plain: octets,
    protection: "authenticated",
    receivedAt: TODAY.sourceNow,
  };
  const event = (code: number, at: number) =>
    ({ log: "standard", code, category: "power", severity: 0, at, evidence }) as const;
  const events = [event(1, BEGIN + 12.5 * QUARTER), event(2, BEGIN + 20.5 * QUARTER)];
  await answer([], undefined, { events });
  const { held, excused, absent, channels } = await board();
  assert.deepEqual([held, excused, absent], [86, 8, 2]);
  assert.deepEqual(
    channels.map((channel) => [channel.excused, channel.absent]),
    [
      [8, 2],
      [8, 2],
    ],
  );
});

test("what a clock was moved over is asked for again, and what comes then is held", async () => {
  await forget();
  await answer(EVERY);
  assert.equal((await board()).held, 96);
  const moved = { from: BEGIN + 40 * QUARTER, to: BEGIN + 41 * QUARTER };
  await answer([], undefined, { uncovered: [moved] });
  assert.deepEqual(await gaps(), [moved]);
  await answer(EVERY);
  assert.deepEqual([(await board()).held, await gaps()], [96, []]);
});

test("up to when logs and days are read, and which push set-ups a meter has, is kept for the next lease; a clock that was moved makes the log be read whole", async () => {
  const { pool, scope, meters } = database;
  await forget();
  const kept = async () => {
    const queue = postgresWorkQueue(pool, scope);
    await queue.due([meters[0]!.id], Date.now(), LANES.onDemand);
    const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, Date.now() + 1_000, 60);
    await queue.release({ meter: lease!.meter.id, epoch: lease!.epoch }, { dueAt: Infinity, lane: 2, attempts: 0 });
    listed = lease?.pushSetUps?.listed;
    return [lease?.loggedTo, lease?.daysTo];
  };
  let listed: readonly string[] | undefined;
  assert.deepEqual([await kept(), listed], [[undefined, undefined], undefined]);
  await answer([], undefined, { covered: [], loggedTo: BEGIN + DAY, daysTo: BEGIN, pushSetUps: ["0-3:25.9.0"] });
  assert.deepEqual([await kept(), listed], [[BEGIN + DAY, BEGIN], ["0-3:25.9.0"]]);
  await answer(EVERY);
  assert.deepEqual(await kept(), [BEGIN + DAY, BEGIN], "a session that did not look at them says nothing of them");
  await answer([], undefined, { uncovered: [{ from: BEGIN, to: BEGIN + QUARTER }] });
  assert.deepEqual(await kept(), [undefined, BEGIN]);
});

test("a row that came at the second answer is held", async () => {
  await forget();
  await answer(EVERY.slice(0, 90));
  await answer(EVERY);
  const { held, absent, channels } = await board();
  assert.deepEqual([held, absent, channels.map((channel) => channel.held)], [96, 0, [96, 96]]);
});

test("power quality that does not come is asked for once more and absent then; a power failure that the log tells of excuses it, and a clock that was moved asks for it anew", async () => {
  const { pool, scope, meters } = database;
  await forget();
  const meter = meters[0]!.id;
  const channels = new ChannelTable(pool, scope);
  const state = async () => {
    const { powerQuality } = await slaBoard(pool, scope, { ...TODAY, powerQuality: true }, 0);
    const { held, excused, absent, missing } = powerQuality!;
    return [held, excused, absent, missing];
  };
  const ROW = 600_000;
  const hole = { from: BEGIN + 60 * ROW, to: BEGIN + 66 * ROW };
  const say = async (more: Partial<ReadResult>): Promise<void> => {
    const read: ReadResult = { registers: [], intervals: [], covered: [], periodSeconds: 900, ...more };
    await inTransaction(pool, (sql) => writeReadings(sql, scope, channels, [{ meter, trustHistory: [], read }]));
  };
  const answered = (lacking: readonly Stretch[]) => ({
    qualityAnswered: { covered: [WHOLE], lacking, periodSeconds: 600 },
  });
  assert.deepEqual(await state(), [0, 0, 0, 144]);
  await say(answered([hole]));
  assert.deepEqual(await state(), [138, 0, 0, 6], "it is doubted, and asked for once more");
  await say(answered([hole]));
  assert.deepEqual(await state(), [138, 0, 6, 0]);
  const octets = new Uint8Array(randomBytes(32));
  const evidence: EvidenceRecord = {
    ...{ hash: evidenceHash(octets), octets, plain: octets },
    ...{ protection: "authenticated", receivedAt: TODAY.sourceNow },
  };
  const event = (code: number, at: number) =>
    ({ log: "standard", code, category: "power", severity: 0, at, evidence }) as const;
  const events = [event(1, BEGIN + 61.5 * ROW), event(2, BEGIN + 66.5 * ROW)];
  await say({ events, qualityAnswered: { covered: [], lacking: [], periodSeconds: 600 } });
  assert.deepEqual(await state(), [138, 5, 1, 0]);
  await say({ uncovered: [{ from: BEGIN, to: BEGIN + 2 * ROW }] });
  assert.deepEqual(await state(), [136, 5, 1, 2]);
});
