import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { inTransaction } from "@meterkeep/postgres";
import type { Meter } from "../inventory/meter.ts";
import { ChannelTable } from "../reading/channels.ts";
import { packDays } from "../reading/day/pack-days.ts";
import { heldIntervals } from "../reading/held-intervals.ts";
import type { EvidenceRecord, ReadResult } from "../reading/result.ts";
import { writeReadings } from "../reading/write.ts";
import { evidenceHash } from "../session/ladder.ts";
import { type HeadEndDatabase, openHeadEndDatabase, testTitle } from "../testing/database.ts";
import { numbers } from "../testing/synthetic-street.ts";
import type { PlausibilityFinding } from "./finding.ts";
import { judgeDays } from "./judge-days.ts";
import { judgeRereads } from "./rereads.ts";
import { PlausibilityWatch } from "./watch.ts";
import { trustScores, writeFindings } from "./write-findings.ts";

const DAY = 86_400_000;
const QUARTER = 900_000;
const HOMES = 5;
const MONDAY = Date.parse("2026-03-02T00:00:00Z");
const random = numbers(3);

let database: HeadEndDatabase;
let homes: readonly Meter[];
let transformer: Meter;
/** What each meter's register stands at. */
const registers = new Map<number, number>();
let day = MONDAY;
const sourceNow = (): number => day + DAY + 3 * 3_600_000;

before(async () => {
  database = await openHeadEndDatabase(HOMES + 1);
  const { pool, inventory } = database;
  await inventory.placeOnGrid({
    utility: "utility",
    island: "island",
    substation: { id: "S1", name: "Substation" },
    feeders: [
      {
        id: "F1",
        name: "Feeder",
        path: "wan",
        transformer: { id: "T1", meter: testTitle(HOMES), ratedKva: 100 },
        homes: Array.from({ length: HOMES }, (_, n) => ({ meter: testTitle(n), label: `Home ${n + 1}`, phase: "L1" })),
      },
    ],
  });
  await pool.query("update takeovers set phase = 'done', verdict = 'proven', proven_at = now()");
  await pool.query("update meter_latest set supply = 'connected'");
  const meters = await inventory.all();
  homes = meters.filter(({ role }) => role === "home");
  transformer = meters.find(({ role }) => role === "transformer") as Meter;
  for (const { id } of meters) registers.set(id, 1_000_000);
});
after(() => database[Symbol.asyncDispose]());

function evidence(): EvidenceRecord {
  const octets = new Uint8Array(randomBytes(24));
  return { hash: evidenceHash(octets), octets, plain: octets, protection: "authenticated", receivedAt: Date.now() };
}

/** Writes what a meter told of a day: its load profile, and the registers of its end. */
async function tell(meter: Meter, energies: readonly number[], more: Partial<ReadResult> = {}): Promise<void> {
  const { pool, scope } = database;
  const channels = new ChannelTable(pool, scope);
  const record = evidence();
  let register = registers.get(meter.id) as number;
  const intervals = energies.map((wattHours, slot) => {
    register += wattHours;
    return {
      obis: "1-0:1.8.0",
      unit: "Wh",
      at: day + (slot + 1) * QUARTER,
      value: register,
      status: 0,
      evidence: record,
    };
  });
  registers.set(meter.id, register);
  await channels.prepare(intervals);
  const read: ReadResult = {
    registers: [{ obis: "1-0:1.8.0", value: register, unit: "Wh", at: day + DAY, evidence: record }],
    intervals,
    covered: [{ from: day, to: day + DAY }],
    periodSeconds: 900,
    ...more,
  };
  await inTransaction(pool, (sql) =>
    writeReadings(sql, scope, channels, [
      { meter: meter.id, trustHistory: [{ effective: 0, state: "trusted" }], read },
    ]),
  );
}

const ordinary = (): readonly number[] => Array.from({ length: 96 }, () => 100 + Math.floor(80 * random()));

/** A day of the street: what the homes truly took, and what the first of them says. */
async function pass(
  told: (real: readonly number[]) => readonly number[] = (real) => real,
): Promise<readonly PlausibilityFinding[]> {
  const { pool, scope } = database;
  const real = homes.map(ordinary);
  for (const [n, home] of homes.entries()) await tell(home, n === 0 ? told(real[0] ?? []) : (real[n] ?? []));
  const out = Array.from({ length: 96 }, (_, slot) => real.reduce((sum, each) => sum + (each[slot] ?? 0), 0) + 20);
  await tell(transformer, out);
  await packDays({ pool, scope, sourceNow });
  const found: PlausibilityFinding[] = [];
  await judgeDays({
    pool,
    scope,
    now: Date.now,
    sourceNow,
    cpu: () => process.cpuUsage().user / 1_000,
    random: () => 0.5,
    onFindings: (all) => found.push(...all),
  });
  day += DAY;
  return found;
}

test("days that are closed are judged once, and what is remembered of them leads into the next", async () => {
  const found: PlausibilityFinding[] = [];
  for (let n = 0; n < 4; n += 1) found.push(...(await pass()));
  assert.deepEqual(found, []);
  const { pool, scope } = database;
  const { rows: days } = await pool.query("select meters, findings from plausibility_days order by day");
  assert.deepEqual(
    days,
    Array.from({ length: 4 }, () => ({ meters: HOMES + 1, findings: 0 })),
  );
  day -= DAY;
  const again = await judgeDays({
    pool,
    scope,
    now: Date.now,
    sourceNow,
    cpu: () => 0,
    random: () => 0.5,
    onFindings: () => undefined,
  });
  day += DAY;
  assert.equal(again, 0);
});

test("P-3: what a meter says of its current transformers is what its intervals are held against", async () => {
  const { pool, scope } = database;
  const meter = homes[1] as Meter;
  const found: PlausibilityFinding[] = [];
  const judge = async (told: Partial<ReadResult>): Promise<readonly string[]> => {
    found.length = 0;
    for (const one of [...homes, transformer]) if (one !== meter) await tell(one, ordinary());
    const energies = ordinary().map((wattHours) => 100 * wattHours);
    await tell(meter, energies, told);
    await packDays({ pool, scope, sourceNow });
    const onFindings = (all: readonly PlausibilityFinding[]): void => void found.push(...all);
    await judgeDays({ pool, scope, now: Date.now, sourceNow, cpu: () => 0, random: () => 0.5, onFindings });
    day += DAY;
    return [...new Set(found.filter(({ rule }) => rule === "P-3").map(({ rule }) => rule))];
  };
  assert.deepEqual(await judge({ registers: [] }), ["P-3"], "more than 100 A");
  const record = evidence();
  const ratio = (obis: string, value: number) => ({ obis, value, unit: undefined, at: day, evidence: record });
  assert.deepEqual(await judge({ registers: [ratio("1-0:0.4.2", 1_000), ratio("1-0:0.4.5", 5)] }), []);
});

test("P-12 and P-1 from what sessions stored: a home that counts a tenth is missing, and one whose registers say otherwise disputes its day", async () => {
  const thief = homes[0] as Meter;
  const found = await pass((real) => real.map((wattHours) => Math.round(wattHours / 10)));
  assert.deepEqual(
    found.filter(({ rule }) => rule === "P-12").map(({ subject }) => subject),
    [{ kind: "transformer", transformer: "T1" }],
  );
  // Its register of the day's end says more than its intervals.
  const behind = registers.get(thief.id) as number;
  const next = await (async () => {
    const told = ordinary();
    const record = evidence();
    const sum = told.reduce((all, one) => all + one, 0);
    for (const home of homes.slice(1)) await tell(home, ordinary());
    await tell(thief, told, {
      registers: [{ obis: "1-0:1.8.0", value: behind + sum + 5_000, unit: "Wh", at: day + DAY, evidence: record }],
    });
    const { pool, scope } = database;
    await packDays({ pool, scope, sourceNow });
    const all: PlausibilityFinding[] = [];
    await judgeDays({
      pool,
      scope,
      now: Date.now,
      sourceNow,
      cpu: () => 0,
      random: () => 0.5,
      onFindings: (one) => all.push(...one),
    });
    day += DAY;
    return all;
  })();
  const one = next.find(({ rule }) => rule === "P-1");
  assert.deepEqual(one?.subject, { kind: "meter", meter: thief.id });
  const { pool, scope } = database;
  const held = (await heldIntervals(pool, scope, [thief.id], day - DAY + 1, day)).get(thief.id) ?? [];
  assert.deepEqual([...new Set(held.map(({ quality }) => quality))], ["disputed"]);
  const score = (await trustScores(pool, scope, [thief.id], day)).get(thief.id) as number;
  assert.ok(score < 80 && score > 70, String(score));
  const week = (await trustScores(pool, scope, [thief.id], day + 7 * DAY)).get(thief.id) as number;
  assert.ok(Math.abs(100 - week - (100 - score) / 2) < 1, "half is left after seven days");
});

test("a low score disputes each day until it has faded, whatever was found of that day", async () => {
  const { pool, scope } = database;
  const meter = (homes[3] as Meter).id;
  const subject = { kind: "meter", meter } as const;
  const stretch = { from: day, to: day + 3_600_000 };
  const grave = (["P-9", "P-10"] as const).map(
    (rule): PlausibilityFinding => ({ rule, subject, stretch, confidence: 1, sentence: "x", data: {} }),
  );
  await writeFindings(pool, scope, grave, Date.now());
  const isDisputed: boolean[] = [];
  for (let n = 0; n < 4; n += 1) {
    const found = await pass();
    assert.ok(found.every(({ subject: of }) => of.kind !== "meter" || of.meter !== meter));
    const held = (await heldIntervals(pool, scope, [meter], day - DAY + 1, day)).get(meter) ?? [];
    isDisputed.push(held.every(({ quality }) => quality === "disputed"));
  }
  assert.deepEqual(isDisputed, [true, true, true, false]);
  const others = (await trustScores(pool, scope, [(homes[4] as Meter).id], day)).get((homes[4] as Meter).id);
  assert.equal(others, undefined);
});

test("P-14: a meter that is asked again and says the same is believed; one that says otherwise, or of which a value was changed here, is not", async () => {
  const { pool, scope } = database;
  const ask = async () => {
    await pass();
    const newest = day - DAY;
    const { rows: asked } = await pool.query("select meter_id from rereads where verdict is null and day = $1", [
      new Date(newest - DAY),
    ]);
    assert.equal(asked.length, 1, "one in a thousand, and one at least");
    const meter = [...homes, transformer].find(({ id }) => id === asked[0].meter_id) as Meter;
    const held = (await heldIntervals(pool, scope, [meter.id], newest - DAY + 1, newest)).get(meter.id) ?? [];
    return async (change: number): Promise<void> => {
      const channels = new ChannelTable(pool, scope);
      const [obis, unit, record] = ["1-0:1.8.0", "Wh", evidence()] as const;
      const intervals = held.map(({ at, value }) => ({
        obis,
        unit,
        at,
        value: value + change,
        status: 0,
        evidence: record,
      }));
      await channels.prepare(intervals);
      const read = { registers: [], intervals, covered: [{ from: newest - DAY, to: newest }], periodSeconds: 900 };
      await inTransaction(pool, (sql) =>
        writeReadings(sql, scope, channels, [{ meter: meter.id, trustHistory: [], read }]),
      );
    };
  };
  await pass();
  const honest = await ask();
  assert.deepEqual(await judgeRereads(pool, scope, sourceNow, Date.now()), [], "nobody has answered yet");
  await honest(0);
  assert.deepEqual(await judgeRereads(pool, scope, sourceNow, Date.now()), []);
  assert.deepEqual((await pool.query("select verdict from rereads where verdict <> 'unanswered'")).rows, [
    { verdict: "same" },
  ]);
  const changed = await ask();
  await changed(7);
  // Neither is written without the other.
  const dying = {
    query: pool.query.bind(pool),
    connect: async () => {
      const client = await pool.connect();
      const query = (text: string, values: unknown[]) =>
        text.includes("insert into plausibility_findings")
          ? Promise.reject(new Error("the process ended"))
          : client.query(text, values);
      return new Proxy(client, { get: (of, name) => (name === "query" ? query : Reflect.get(of, name, of)) });
    },
  } as unknown as typeof pool;
  await assert.rejects(judgeRereads(dying, scope, sourceNow, Date.now()), { message: "the process ended" });
  const [finding] = await judgeRereads(pool, scope, sourceNow, Date.now());
  assert.deepEqual([finding?.rule, finding?.subject.kind, finding?.data["differing"]], ["P-14", "meter", 96]);
  const { rows: written } = await pool.query("select rule from plausibility_findings where rule = 'P-14'");
  assert.deepEqual(written, [{ rule: "P-14" }]);
  assert.deepEqual(await judgeRereads(pool, scope, sourceNow, Date.now()), [], "once");
});

test("P-14: a day whose draw fails has its draw with the next look, and its meters are judged once", async () => {
  const { pool, scope } = database;
  for (const meter of [...homes, transformer]) await tell(meter, ordinary());
  await packDays({ pool, scope, sourceNow });
  const judge = (random: () => number) =>
    judgeDays({ pool, scope, now: Date.now, sourceNow, cpu: () => 0, random, onFindings: () => undefined });
  const drawn = async (): Promise<number> =>
    (await pool.query("select 1 from rereads where day = $1", [new Date(day - DAY)])).rows.length;
  const dying = judge(() => {
    throw new Error("the process ended");
  });
  await assert.rejects(dying, { message: "the process ended" });
  assert.equal(await drawn(), 0);
  assert.equal(await judge(() => 0.5), 0);
  assert.equal(await drawn(), 1);
  assert.equal(await judge(() => 0.5), 0);
  assert.equal(await drawn(), 1);
  day += DAY;
});

test("P-8 and P-9 within a minute: what a log says of clocks and relays that nobody here moved, and cohorts whose relays open together", async () => {
  const { pool, scope } = database;
  const findings: PlausibilityFinding[] = [];
  const watch = new PlausibilityWatch({
    sql: pool,
    scope,
    clockOf: () => ({ factor: 1, atSource: (wall) => wall, atWall: (source) => source }),
    now: Date.now,
    onFindings: (all) => findings.push(...all),
  });
  await pool.query(
    `insert into trust_history (utility_id, island_id, meter_id, decided_at, effective, state, reason, sentence)
     select utility_id, island_id, meter_id, now(), now() - interval '1 day', 'trusted', 'x', 'x' from meters`,
  );
  const log = async (
    meter: Meter,
    code: number,
    category: "clock" | "supply-control",
    severity: number,
  ): Promise<void> => {
    const events = [{ log: "standard", code, category, severity, at: Date.now() - 60_000, evidence: evidence() }];
    const read = { registers: [], intervals: [], covered: [], events };
    await inTransaction(pool, (sql) =>
      writeReadings(sql, scope, new ChannelTable(pool, scope), [{ meter: meter.id, trustHistory: [], read }]),
    );
  };
  await log(homes[0] as Meter, 4, "clock", 1);
  const rulesOf = (found: readonly PlausibilityFinding[]) => found.map(({ rule, subject }) => [rule, subject.kind]);
  assert.deepEqual(rulesOf(await watch.look()), [["P-8", "meter"]]);
  assert.deepEqual(await watch.look(), [], "once");
  for (const home of homes.slice(0, 4)) await log(home, 64, "supply-control", 1);
  assert.deepEqual(rulesOf(await watch.look()), [["P-9", "cohort"]]);
  await log(homes[4] as Meter, 62, "supply-control", 3);
  assert.ok((await watch.look()).some(({ rule, subject }) => rule === "P-9" && subject.kind === "meter"));
  assert.equal(findings.filter(({ rule }) => rule === "P-8").length, 1);
});

test("P-10: a last gasp of a meter whose neighbours have voltage, or that answers, is contradicted", async () => {
  const { pool, scope } = database;
  const at = Date.now() - 30_000;
  const watch = new PlausibilityWatch({
    sql: pool,
    scope,
    clockOf: () => ({ factor: 1, atSource: (wall) => wall, atWall: (source) => source }),
    now: Date.now,
    onFindings: () => undefined,
  });
  await watch.look();
  const say = (meter: Meter, obis: string, value: number, isPush: boolean) =>
    inTransaction(pool, (sql) =>
      writeReadings(sql, scope, new ChannelTable(pool, scope), [
        {
          meter: meter.id,
          trustHistory: [],
          ...(isPush ? { push: { source: "192.0.2.9", transport: "udp" as const } } : {}),
          read: { registers: [{ obis, value, unit: undefined, at, evidence: evidence() }], intervals: [], covered: [] },
        },
      ]),
    );
  await say(homes[0] as Meter, "0-0:97.98.1", 1, true);
  assert.deepEqual(await watch.look(), [], "nobody says anything against it");
  for (const home of homes.slice(1, 4)) await say(home, "1-0:32.7.0", 231, false);
  const [finding] = await watch.look();
  assert.deepEqual([finding?.rule, finding?.data["siblingsWithVoltage"]], ["P-10", 3]);
});
