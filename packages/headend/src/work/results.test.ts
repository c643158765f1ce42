import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { inTransaction } from "@meterkeep/postgres";
import type { HeadEndError } from "../errors.ts";
import { ChannelTable } from "../reading/channels.ts";
import { wantedOf } from "../reading/gaps.ts";
import { heldIntervals } from "../reading/held-intervals.ts";
import type { EvidenceRecord, ReadResult } from "../reading/result.ts";
import { writeReadings } from "../reading/write.ts";
import { evidenceHash } from "../session/ladder.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { evidenceView } from "../view/evidence.ts";
import { meterSummaries } from "../view/meter-summary.ts";
import { profileReadings, registerReadings } from "../view/readings.ts";
import { sessionDetail, sessionsOf } from "../view/sessions.ts";
import type { Finished } from "./finish.ts";
import { LANES, type Lease } from "./lease.ts";
import { postgresWorkQueue } from "./postgres-queue.ts";
import { Results } from "./results.ts";

const QUARTER = 900_000;
const NOON = Date.parse("2026-11-21T12:00:00Z");

let database: HeadEndDatabase;
before(async () => {
  database = await openHeadEndDatabase(16);
});
after(() => database[Symbol.asyncDispose]());

/** Lets leases run out, and gives the next of the meter that had one. */
async function leaseAgain({ meter }: Lease): Promise<Lease> {
  const { pool, scope } = database;
  await pool.query("update work set leased_until = now() where meter_id = $1", [meter.id]);
  const [lease] = await postgresWorkQueue(pool, scope).lease(randomUUID(), { any: 1, onDemand: 0 }, NOON, 60);
  assert.equal(lease?.meter.id, meter.id);
  return lease;
}

async function leaseOne(index: number, now = NOON): Promise<Lease> {
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope, () => wantedOf(() => ({ from: NOON - 8 * QUARTER, to: NOON })));
  await queue.due([meters[index]!.id], now - 1, LANES.onDemand);
  const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, now, 60);
  assert.equal(lease?.meter.id, meters[index]!.id);
  return lease;
}

function results(): Results {
  return new Results(database.pool, database.scope, new ChannelTable(database.pool, database.scope));
}

function evidence(): EvidenceRecord {
  const octets = new Uint8Array(randomBytes(64));
  return { hash: evidenceHash(octets), octets, plain: Uint8Array.of(1), protection: "authenticated", receivedAt: NOON };
}

/** Four quarter hours before noon on one channel, and a register. */
function reading(record = evidence()): ReadResult {
  return {
    registers: [{ obis: "1-0:1.8.0", value: 5_000, unit: "Wh", at: NOON, evidence: record }],
    intervals: [0, 1, 2, 3].map((n) => ({
      obis: "1-0:1.8.0",
      unit: "Wh",
      at: NOON - n * QUARTER,
      value: 5_000 - n * 100,
      status: 8,
      evidence: record,
    })),
    covered: [{ from: NOON - 4 * QUARTER, to: NOON }],
    powerW: 400,
    energyWh: 5_000,
    supply: "connected",
  };
}

function finished(lease: Lease, more: Partial<Finished> = {}): Finished {
  return { lease, next: { dueAt: NOON + QUARTER, lane: LANES.reading, attempts: 0 }, ...more };
}

const window = { from: undefined, to: undefined, limit: 100 } as const;

test("what was captured before the takeover was proven never counts, what comes after does, and the default says how much it left out", async () => {
  const lease = await leaseOne(0);
  const trust = {
    state: "trusted",
    reason: "proven-shielded",
    sentence: "Proven.",
    decidedAt: NOON,
    effective: NOON - 2 * QUARTER,
  } as const;
  await results().write(finished(lease, { read: reading(), trust }));
  const { pool, scope } = database;
  const decisive = await profileReadings(pool, scope, lease.meter, { ...window, trust: "trusted" });
  assert.deepEqual(
    decisive.rows.map(({ values }) => values),
    [[4_800], [4_900], [5_000]],
  );
  assert.equal(decisive.leftOut, 1);
  const all = await profileReadings(pool, scope, lease.meter, { ...window, trust: "all" });
  assert.deepEqual(
    all.rows.map(({ trustAtCapture, decisive: is }) => [trustAtCapture, is]),
    [
      ["held", false],
      ["trusted", true],
      ["trusted", true],
      ["trusted", true],
    ],
  );
});

test("a source that is quarantined later takes its readings out of decisions, and they stay readable", async () => {
  const proven = { reason: "proven-shielded", sentence: "Proven.", decidedAt: NOON, effective: 0 } as const;
  await results().write(finished(await leaseOne(1), { read: reading(), trust: { ...proven, state: "trusted" } }));
  const lease = await leaseOne(1);
  assert.equal(lease.trust.state, "trusted");
  await results().write(finished(lease, { trust: { ...proven, state: "quarantined", reason: "keeps-master-key" } }));
  const { pool, scope } = database;
  assert.equal((await registerReadings(pool, scope, lease.meter, { ...window, trust: "trusted" })).readings.length, 0);
  const all = await registerReadings(pool, scope, lease.meter, { ...window, trust: "all" });
  assert.deepEqual(
    all.readings.map(({ trustAtCapture, trustNow }) => [trustAtCapture, trustNow]),
    [["trusted", "quarantined"]],
  );
});

test("results under an older epoch change nothing", async () => {
  const first = await leaseOne(2);
  const second = await leaseAgain(first);
  assert.equal(second.epoch, first.epoch + 1n);
  await assert.rejects(
    results().write(finished(first, { read: reading() })),
    (error: HeadEndError) => error.code === "lease-lost",
  );
  const { pool, scope } = database;
  assert.equal((await profileReadings(pool, scope, first.meter, { ...window, trust: "all" })).rows.length, 0);
  await results().write(finished(second, { read: reading() }));
  assert.equal((await profileReadings(pool, scope, first.meter, { ...window, trust: "all" })).rows.length, 4);
});

test("what is written says when the meter is due again, with what was asked for in the midst of it", async () => {
  const lease = await leaseOne(11);
  const { pool, scope } = database;
  await postgresWorkQueue(pool, scope).due([lease.meter.id], NOON - 2, LANES.onDemand, "verify");
  assert.deepEqual(await results().write(finished(lease)), { dueAt: NOON - 2, lane: LANES.onDemand });
  const next = { dueAt: Number.POSITIVE_INFINITY, lane: LANES.reading, attempts: 0 };
  const asked = await leaseOne(11);
  assert.deepEqual(await results().write(finished(asked, { next })), { dueAt: next.dueAt, lane: next.lane });
});

test("one group keeps what is fenced in and drops what is not", async () => {
  const stale = await leaseOne(3);
  await leaseAgain(stale);
  const good = await leaseOne(4);
  const writer = results();
  const outcomes = await Promise.allSettled([
    writer.write(finished(stale, { read: reading() })),
    writer.write(finished(good, { read: reading() })),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "fulfilled"],
  );
});

test("two leases of one meter that end in one group: the newer is written, the older is dropped", async () => {
  const old = await leaseOne(7);
  const young = await leaseAgain(old);
  const writer = results();
  // What is under way already keeps the two waiting for each other.
  const before = writer.write(finished(await leaseOne(8), { read: reading() }));
  const outcomes = await Promise.allSettled([
    writer.write(finished(old, { read: { ...reading(), powerW: 1 } })),
    writer.write(finished(young, { read: { ...reading(), powerW: 2 } })),
  ]);
  await before;
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "fulfilled"],
  );
  const { pool, scope } = database;
  const [line] = await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOON, { ids: [old.meter.id] });
  assert.equal(line?.powerW, 2);
  const held = await profileReadings(pool, scope, old.meter, { ...window, trust: "all" });
  assert.equal(held.rows.length, 4);
  const { rows } = await pool.query("select count(*)::integer as n from evidence where meter_id = $1", [old.meter.id]);
  assert.deepEqual(rows, [{ n: 1 }], "nothing of the older one is kept");
});

test("one meter's text that no database takes costs that meter alone: what shared its group is written, and what is fenced out stays out", async () => {
  const stale = await leaseOne(12);
  await leaseAgain(stale);
  const [good, bad, other] = [await leaseOne(13), await leaseOne(14), await leaseOne(15)];
  const { pool, scope } = database;
  const rowsOf = async ({ meter }: Lease) =>
    (await profileReadings(pool, scope, meter, { ...window, trust: "all" })).rows.length;
  const spoilt = { ...reading(), registers: [{ ...reading().registers[0]!, value: "a\u0000b" }] };
  const writer = results();
  // What is under way already keeps the others waiting for each other.
  const before = writer.write(finished(await leaseOne(8)));
  const outcomes = await Promise.allSettled([
    writer.write(finished(good, { read: reading() })),
    writer.write(finished(bad, { read: spoilt })),
    writer.write(finished(stale, { read: reading() })),
    writer.write(finished(other, { read: reading() })),
  ]);
  await before;
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason.code : outcome.status)),
    ["fulfilled", "22021", "lease-lost", "fulfilled"],
  );
  assert.deepEqual(await Promise.all([good, bad, stale, other].map(rowsOf)), [4, 0, 0, 4]);
  await writer.write(finished(bad));
});

test("the same value with another status is a correction, and disputes nothing", async () => {
  const lease = await leaseOne(9);
  await results().write(finished(lease, { read: { ...reading(), periodSeconds: 900 } }));
  const disturbed = (one: ReadResult): ReadResult => ({
    ...one,
    intervals: one.intervals.map((interval, n) => (n === 1 ? { ...interval, status: 0x28 } : interval)),
  });
  for (const read of [reading(), disturbed(reading())])
    await results().write(finished(await leaseOne(9), { read: { ...read, periodSeconds: 900 } }));
  const { pool, scope } = database;
  const { rows } = await pool.query("select value, status::integer from interval_corrections where meter_id = $1", [
    lease.meter.id,
  ]);
  assert.deepEqual(rows, [{ value: 4_900, status: 0x28 }]);
  const held = (await heldIntervals(pool, scope, [lease.meter.id], undefined, undefined)).get(lease.meter.id) ?? [];
  assert.deepEqual([...new Set(held.map(({ quality }) => quality))], ["actual"]);
});

test("P-8: values that came by a clock that is off are held and disputed, and the finding says how far off; those beside them are good", async () => {
  const { pool, scope, meters } = database;
  const meter = meters[11]!;
  const channels = new ChannelTable(pool, scope);
  const record = evidence();
  const at = (n: number) => NOON + n * QUARTER;
  const interval = (n: number) => ({
    ...{ obis: "1-0:1.8.0", unit: "Wh", at: at(n), value: 100 * n, status: undefined, evidence: record },
  });
  const store = async (read: ReadResult): Promise<void> => {
    await channels.prepare(read.intervals);
    await inTransaction(pool, (sql) =>
      writeReadings(sql, scope, channels, [{ meter: meter.id, trustHistory: [], read }]),
    );
  };
  const moved = { offsetSeconds: 3_600, isIncident: true };
  const seen = at(4) + 60_000;
  await store({ registers: [], intervals: [interval(1), interval(2)], covered: [] });
  // A push has told of the first of the quarter hours.
  await store({ registers: [], intervals: [], covered: [], misdated: [{ from: at(2), to: at(3), ...moved }] });
  const register = (time: number) => ({ obis: "1-0:1.8.0", value: 400, unit: "Wh", at: time, evidence: record });
  await store({ registers: [register(at(1))], intervals: [], covered: [] });
  const clockOff = { ...moved, seenAt: at(0) + 60_000 };
  const off = { registers: [register(seen)], intervals: [interval(3), interval(4)], covered: [], clockOff };
  await store(off);
  // The same session written again says it once.
  await store(off);
  const held = (await heldIntervals(pool, scope, [meter.id], undefined, undefined)).get(meter.id) ?? [];
  assert.deepEqual(
    held.toSorted((one, other) => one.at - other.at).map(({ quality }) => quality),
    ["actual", "actual", "disputed", "disputed"],
  );
  const { rows } = await pool.query(
    "select rule, disputes, confidence, data from plausibility_findings where meter_id = $1",
    [meter.id],
  );
  const finding = { rule: "P-8", disputes: true, confidence: 1, data: { offsetSeconds: 3_600 } };
  assert.deepEqual(rows, [finding, finding, finding]);
  const { readings } = await registerReadings(pool, scope, meter, {
    from: undefined,
    to: undefined,
    trust: "all",
    limit: 9,
  });
  assert.deepEqual(
    readings.map((one) => [one.time, one.standing]),
    [
      [new Date(seen).toISOString(), "disputed"],
      [new Date(at(1)).toISOString(), "undisputed"],
    ],
  );
});

test("the line shows the newest proven energy: not the highest, and not what anybody could have sent", async () => {
  const { pool, scope, meters } = database;
  const meter = meters[10]!;
  const channels = new ChannelTable(pool, scope);
  const shown = async (at: number, energyWh: number, protection: "authenticated" | "none"): Promise<unknown> => {
    const record: EvidenceRecord = { ...evidence(), protection };
    const registers = [{ obis: "1-0:1.8.0", value: energyWh, unit: "Wh", at, evidence: record }];
    const read: ReadResult = { registers, intervals: [], covered: [], energyWh, powerW: energyWh };
    await inTransaction(pool, (sql) =>
      writeReadings(sql, scope, channels, [{ meter: meter.id, trustHistory: [], read }]),
    );
    const [line] = await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOON, { ids: [meter.id] });
    return line?.energyWh;
  };
  assert.equal(await shown(NOON, 77, "none"), 77, "there is nothing better");
  assert.equal(await shown(NOON + 30 * 86_400_000, 999_999_999, "none"), 999_999_999);
  assert.equal(await shown(NOON + 1_000, 5_000, "authenticated"), 5_000, "what is proven comes first");
  assert.equal(await shown(NOON + 2_000, 999_999_999, "none"), 5_000);
  assert.equal(await shown(NOON - 1_000, 4_000, "authenticated"), 5_000, "an older one");
  assert.equal(await shown(NOON + 3_000, 12, "authenticated"), 12, "it rolled over");
});

test("reading the same intervals again changes none of them, and the same octets are one piece of evidence", async () => {
  const record = evidence();
  await results().write(finished(await leaseOne(5), { read: reading(record) }));
  const lease = await leaseOne(5);
  assert.deepEqual(lease.gaps, [{ from: NOON - 8 * QUARTER, to: NOON - 4 * QUARTER }]);
  const again = reading(record);
  await results().write(
    finished(lease, { read: { ...again, intervals: again.intervals.map((one) => ({ ...one, value: 1 })) } }),
  );
  const { pool, scope } = database;
  const { rows } = await profileReadings(pool, scope, lease.meter, { ...window, trust: "all" });
  assert.deepEqual(
    rows.map(({ values }) => values[0]),
    [4_700, 4_800, 4_900, 5_000],
  );
  const view = await evidenceView(pool, scope, Buffer.from(record.hash).toString("hex"));
  assert.equal(view?.apdu, Buffer.from(record.octets).toString("hex").toUpperCase());
  assert.deepEqual([view?.intervals, view?.registers], [4, 1]);
});

test("a session keeps its ladder in order, and the meter's line shows the newest", async () => {
  const lease = await leaseOne(6);
  const record = evidence();
  const id = randomUUID();
  const step = {
    at: NOON,
    toMeter: true,
    step: "associate",
    summary: "Asks",
    octets: Uint8Array.of(0x60),
    plain: undefined,
    protection: "none",
  } as const;
  await results().write(
    finished(lease, {
      read: reading(record),
      session: {
        id,
        purpose: "read",
        outcome: "done",
        sentence: "Read.",
        startedAt: NOON - 50,
        endedAt: NOON,
        ladder: [
          step,
          {
            ...step,
            toMeter: false,
            octets: record.octets,
            plain: Uint8Array.of(0xc4),
            protection: "authenticated",
            evidence: record.hash,
          },
        ],
      },
    }),
  );
  const { pool, scope } = database;
  const detail = await sessionDetail(pool, scope, id);
  assert.deepEqual(
    detail?.ladder.map(({ direction, octets }) => [direction, octets.length]),
    [
      ["to-meter", 2],
      ["from-meter", 128],
    ],
  );
  assert.equal(detail?.ladder[1]?.evidence, Buffer.from(record.hash).toString("hex"));
  assert.equal((await sessionsOf(pool, scope, lease.meter.id, 5)).length, 1);
  const [line] = await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOON + 1_000, { ids: [lease.meter.id] });
  assert.deepEqual(
    [line?.powerW, line?.energyWh, line?.supply, line?.stale, line?.authenticated],
    [400, 5_000, "connected", false, true],
  );
});

test("an island sees its own meters and no other's", async () => {
  const { pool, meters } = database;
  const { openScope } = await import("../database/scope.ts");
  const other = await openScope(pool, "utility", "another island");
  const neighbour = await openScope(pool, "neighbour", "island");
  for (const scope of [other, neighbour]) {
    assert.deepEqual(await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOON), []);
    assert.deepEqual(
      await postgresWorkQueue(pool, scope).lease(randomUUID(), { any: 9, onDemand: 0 }, NOON + QUARTER * 10, 60),
      [],
    );
    assert.deepEqual((await registerReadings(pool, scope, meters[0]!, { ...window, trust: "all" })).readings, []);
  }
});
