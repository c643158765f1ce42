import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { plausibilityView } from "../plausibility/view.ts";
import { trustScores } from "../plausibility/write-findings.ts";
import type { EvidenceRecord, ReadResult } from "../reading/result.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import { at, BY, disputeBench, evidence, NOON, off, QUARTER, ROWS, WINDOW } from "../testing/dispute-bench.ts";
import { qualityReadings } from "../view/power-quality.ts";
import { registerReadings } from "../view/readings.ts";
import { timeText } from "../view/time-text.ts";
import { type SettledMeter, settleDisputes } from "./settle.ts";
import { Standings } from "./standing.ts";

let database: HeadEndDatabase;
before(async () => {
  database = await openHeadEndDatabase(18);
  await database.pool.query("update trust set state = 'trusted'");
});
after(() => database[Symbol.asyncDispose]());

const { store, find, look, settle, shown, listed, isNoGround } = disputeBench(() => database);

test("what a finding disputes is not decisive, of intervals, registers and power quality alike; beside it all is", async () => {
  await store(0, [1, 2, 3]);
  await find(0, "P-1", 1, 2);
  assert.deepEqual(await shown(0), {
    intervals: ["actual", "disputed", "actual"],
    registers: ["undisputed", "disputed", "undisputed"],
    quality: ["undisputed true", "disputed false", "undisputed true"],
    decisive: [1, 3],
  });
});

test("somebody accepts what is disputed and decisions may use it, or rejects it and they may not; what is found later opens it again", async () => {
  await store(1, [1, 2, 3, 4]);
  await find(1, "P-1", 0, 4);
  await settle([1], { verdict: "accepted", from: at(0), to: at(2) });
  await settle([1], { verdict: "rejected", from: at(3), to: at(4) });
  const settled = ["accepted", "accepted", "disputed", "rejected"];
  assert.deepEqual(await shown(1), {
    intervals: settled,
    registers: settled,
    quality: ["accepted true", "accepted true", "disputed false", "rejected false"],
    decisive: [1, 2],
  });
  await find(1, "P-14", 1, 2);
  assert.deepEqual((await shown(1)).intervals, ["accepted", "disputed", "disputed", "rejected"]);
  // Of several decisions the newest counts, and all of them stay.
  await settle([1], { verdict: "rejected", from: at(0), to: at(4) });
  await settle([1], { verdict: "accepted", from: at(0), to: at(1) });
  assert.deepEqual((await shown(1)).intervals, ["accepted", "rejected", "rejected", "rejected"]);
  const { rows } = await database.pool.query(
    "select verdict, by_whom, reason, sequence from dispute_decisions where meter_id = $1 order by decision_id",
    [database.meters[1]!.id],
  );
  assert.deepEqual(
    rows,
    ["accepted", "rejected", "rejected", "accepted"].map((verdict) => ({
      verdict,
      by_whom: BY.by,
      reason: BY.reason,
      sequence: "40",
    })),
  );
});

test("another value for the same instant is a dispute of that instant, and of its channel alone", async () => {
  await store(2, [1, 2]);
  await store(2, [2], { registers: [], quality: [] }, 900);
  assert.deepEqual((await shown(2)).intervals, ["actual", "disputed"]);
  await assert.rejects(settle([2], { verdict: "accepted", from: at(0), to: at(2), rule: "P-1" }), {
    code: "dispute-unknown",
  });
  const [one] = await settle([2], { verdict: "accepted", from: at(0), to: at(2) });
  assert.deepEqual([one?.intervals, one?.registers, one?.powerQuality, one?.disputes], [1, 0, 0, 1]);
  assert.deepEqual(await shown(2), {
    intervals: ["actual", "accepted"],
    registers: ["undisputed", "undisputed"],
    quality: ["undisputed true", "undisputed true"],
    decisive: [1, 2],
  });
  // A third value has been seen by nobody.
  await store(2, [2], { registers: [], quality: [] }, 1_900);
  assert.deepEqual((await shown(2)).intervals, ["actual", "disputed"]);
});

test("of two rules that dispute a value one can be settled by itself, and the value stays in dispute until the other is", async () => {
  await store(3, [1]);
  await find(3, "P-1", 0, 1);
  await find(3, "P-14", 0, 1);
  const first = await settle([3], { verdict: "accepted", from: at(0), to: at(1), rule: "P-1" });
  assert.deepEqual([first[0]?.intervals, first[0]?.disputes], [0, 1]);
  assert.deepEqual((await shown(3)).intervals, ["disputed"]);
  await settle([3], { verdict: "accepted", from: at(0), to: at(1), rule: "P-14" });
  assert.deepEqual((await shown(3)).intervals, ["accepted"]);
});

test("a dry run of many meters counts what would stand otherwise and changes nothing; who has no dispute gets no decision", async () => {
  for (const meter of [4, 5, 6]) await store(meter, [1, 2]);
  await find(4, "P-1", 0, 2);
  await find(5, "P-1", 1, 2);
  const settlement = { verdict: "rejected", from: at(0), to: at(2) } as const;
  const counts = (all: readonly SettledMeter[]) =>
    all.map(({ intervals, registers, powerQuality, disputes }) => [intervals, registers, powerQuality, disputes]);
  const changes = [
    [2, 2, 2, 1],
    [1, 1, 1, 1],
    [0, 0, 0, 0],
  ];
  assert.deepEqual(counts((await look([4, 5, 6], settlement)).meters), changes);
  assert.deepEqual((await shown(4)).intervals, ["disputed", "disputed"]);
  assert.deepEqual(counts(await settle([4, 5, 6], settlement)), changes);
  assert.deepEqual((await shown(5)).intervals, ["actual", "rejected"]);
  const { rows } = await database.pool.query(
    "select meter_id from dispute_decisions where verdict = 'rejected' and meter_id = any($1)",
    [[4, 5, 6].map((meter) => database.meters[meter]!.id)],
  );
  assert.deepEqual(rows.length, 2);
  assert.deepEqual(counts((await look([4], { ...settlement, verdict: "accepted" })).meters), [[2, 2, 2, 1]]);
});

test("what the ledger does not take is not settled", async () => {
  await store(7, [1]);
  await find(7, "P-1", 0, 1);
  const refuse = async () => Promise.reject(new Error("the ledger is away"));
  const settlement = { verdict: "accepted", from: at(0), to: at(1) } as const;
  const { digest } = await look([7], settlement);
  await assert.rejects(
    settleDisputes(
      database.pool,
      database.scope,
      [database.meters[7]!],
      { ...settlement, ...BY },
      { now: () => NOON, act: { digest, record: refuse } },
    ),
    /the ledger is away/,
  );
  assert.deepEqual((await shown(7)).intervals, ["disputed"]);
});

test("P-8: rows of power quality that a wrong clock has dated are disputed by themselves", () => {
  const quality = new Standings(
    [{ finding: 1, concerns: "quality", from: at(0), to: at(2) }],
    [{ from: at(0), to: at(1), verdict: "accepted", findings: new Set([1]), contradictions: new Set(), seenTo: 5 }],
  );
  assert.deepEqual(
    [1, 2, 3].map((n) => [quality.at(at(n), "quality", 5), quality.at(at(n), "intervals", 5)]),
    [
      ["accepted", "undisputed"],
      ["disputed", "undisputed"],
      ["undisputed", "undisputed"],
    ],
  );
  assert.deepEqual(quality.stretches("quality"), [
    { from: at(0), to: at(1), above: Number.NEGATIVE_INFINITY, upTo: 5, standing: "accepted" },
    { from: at(0), to: at(1), above: 5, upTo: Number.POSITIVE_INFINITY, standing: "disputed" },
    { from: at(1), to: at(2), above: Number.NEGATIVE_INFINITY, upTo: Number.POSITIVE_INFINITY, standing: "disputed" },
  ]);
});

test("P-8: what is new with a session whose clock is off is disputed, of each kind of rows by itself, and nothing that lies between or was held", async () => {
  const { pool, scope, meters } = database;
  const meter = 8;
  // Read before, by a clock that was right: the third and fourth quarter hour, and a register between two others.
  await store(meter, [3, 4], { periodSeconds: 900 });
  const energy = { obis: "1-0:1.8.0", unit: "Wh", value: 7 };
  const between = { ...energy, at: at(6) - 60_000, evidence: evidence() };
  await store(meter, [], { registers: [between] });
  await store(meter, [1, 2, 3, 5, 6], {
    registers: [{ ...energy, at: at(5), evidence: evidence() }],
    periodSeconds: 900,
    clockOff: { ...off, seenAt: at(7) },
  });
  assert.deepEqual((await shown(meter)).intervals, [
    "disputed",
    "disputed",
    "actual",
    "actual",
    "disputed",
    "disputed",
  ]);
  const { readings } = await registerReadings(pool, scope, meters[meter]!, { ...WINDOW, trust: "all" });
  assert.deepEqual(
    readings.toReversed().map((one) => [(Date.parse(one.time) - NOON) / QUARTER, one.standing]),
    [
      [3, "undisputed"],
      [4, "undisputed"],
      [5, "disputed"],
      [6 - 1 / 15, "undisputed"],
    ],
  );
  const { rows: quality } = await qualityReadings(pool, scope, meters[meter]!, WINDOW);
  assert.deepEqual(
    quality.map(({ standing }) => standing),
    ["disputed", "disputed", "undisputed", "undisputed", "disputed", "disputed"],
  );
  const filter = { meter: meters[meter]!.id, rule: "P-8", limit: 9 };
  const view = await plausibilityView(pool, scope, filter, () => at(8));
  const told = (from: number, to: number) => ({ from: timeText(at(from) + 1), to: timeText(at(to)) });
  assert.deepEqual(view.findings.map(({ stretches, from, to }) => stretches ?? [{ from, to }]).toReversed()[0], [
    told(0, 2),
    told(4, 6),
  ]);
});

test("P-8: what anybody has said before without a proof keeps nothing that comes by a wrong clock from being disputed", async () => {
  const { pool, scope, meters } = database;
  const meter = 12;
  const energy = { obis: "1-0:1.8.0", unit: "Wh", value: 7, at: at(1) };
  const said = async (protection: EvidenceRecord["protection"], more: Partial<ReadResult>) =>
    store(meter, [], { registers: [{ ...energy, evidence: { ...evidence(), protection } }], ...more });
  await said("none", {});
  await said("authenticated", { clockOff: { ...off, seenAt: at(2) } });
  const { readings } = await registerReadings(pool, scope, meters[meter]!, { ...WINDOW, trust: "all" });
  assert.deepEqual(
    readings.map(({ protection, standing, decisive }) => `${protection} ${standing} ${decisive}`).sort(),
    ["authenticated disputed false", "none disputed false"],
  );
});

test("MC-04: what a meter draws by a clock that is ahead does not stay what it draws until that time has come", async () => {
  const { pool, meters } = database;
  const latest = async (meter: number) => {
    const text = "select power_w, reading_at from meter_latest where meter_id = $1";
    const { rows } = await pool.query(text, [meters[meter]!.id]);
    return [rows[0].power_w, rows[0].reading_at.getTime()];
  };
  const registers = (n: number) => [{ obis: "1-0:1.7.0", unit: "W", value: 1, at: at(n), evidence: evidence() }];
  // A session that finds it so, and a push that bears a time that has not come.
  for (const [meter, ahead] of [
    [16, { clockOff: { offsetSeconds: 3_600, isIncident: true, seenAt: at(1) } }],
    [17, { misdated: [{ from: at(4), to: at(5), offsetSeconds: 3_600, isIncident: true }] }],
  ] as const) {
    await store(meter, [], { powerW: 100, registers: registers(5), ...ahead });
    assert.deepEqual(await latest(meter), [100, at(1)]);
    await store(meter, [], { powerW: 4_000, registers: registers(2) });
    assert.deepEqual(await latest(meter), [4_000, at(2)]);
  }
});

test("P-8: a second finding that begins with another is kept, and all of one session take from the score once", async () => {
  const { pool, scope, meters } = database;
  const meter = 9;
  const { id } = meters[meter]!;
  const misdated = [{ from: at(0), to: at(1), ...off }];
  await store(meter, [], { misdated });
  // A push says it once an interval; one that ends later is another.
  await store(meter, [], { misdated: [...misdated, { from: at(0), to: at(3), ...off }] });
  await store(meter, [1, 2, 3, 4]);
  assert.deepEqual((await shown(meter)).intervals, ["disputed", "disputed", "disputed", "actual"]);
  assert.equal((await trustScores(pool, scope, [id], at(4))).get(id), 100 - 25 * 0.5 ** (1 / 4 / 24 / 7));
  // Values of five days, of three kinds, that came with one session.
  const other = 10;
  const days = [-4, -3, -2, -1, 0].map((day) => day * 96);
  const clockOff = { ...off, seenAt: at(1) };
  await store(other, days, { periodSeconds: 900, clockOff });
  await store(other, days, { periodSeconds: 900, clockOff });
  const { id: of } = meters[other]!;
  assert.equal((await trustScores(pool, scope, [of], at(1))).get(of), 75);
  const { findings } = await plausibilityView(pool, scope, { meter: of, rule: undefined, limit: 9 }, () => at(1));
  assert.deepEqual(
    findings.map(({ stretches }) => stretches?.length),
    [5, 5, 5],
  );
  // On another day it is another look.
  await store(other, [95], { periodSeconds: 900, clockOff: { ...off, seenAt: at(96) } });
  const later = (await trustScores(pool, scope, [of], at(96))).get(of) ?? 0;
  assert.ok(Math.abs(later - (75 - 25 * 0.5 ** (95 / 96 / 7))) < 0.01, String(later));
});

test("a settlement is about what was looked at: what has come since is refused, said and settled by nobody", async () => {
  const meter = 11;
  const settlement = { verdict: "accepted", from: at(0), to: at(4) } as const;
  await store(meter, [1, 2]);
  await find(meter, "P-1", 0, 4);
  const { digest } = await look([meter], settlement);
  assert.equal((await look([meter], { ...settlement, verdict: "rejected" })).digest, digest, "whatever is decided");
  const refused = async (looked: string, message: RegExp) =>
    assert.rejects(settle([meter], settlement, looked), { code: "dispute-changed", message });
  // A value more, and a finding more.
  await store(meter, [3]);
  await refused(digest, /\(values: 6 then, 9 now\); look again/);
  const { digest: next } = await look([meter], settlement);
  await find(meter, "P-14", 1, 2);
  await refused(next, /\(findings: 1 then, 2 now\)/);
  await refused("", /meters: none then, 1 now/);
  assert.deepEqual((await shown(meter)).intervals, ["disputed", "disputed", "disputed"]);
  // Another time or another rule was looked at.
  const { digest: wider } = await look([meter], { ...settlement, to: at(5) });
  await refused(wider, /as many findings and values, and not the same/);
  const { digest: last } = await look([meter], settlement);
  assert.equal((await settle([meter], settlement, last))[0]?.intervals, 3);
  const accepted = ["accepted", "accepted", "accepted"];
  assert.deepEqual((await shown(meter)).intervals, accepted);
  // What comes later was seen by nobody; of what is beside the findings nothing is in doubt.
  await store(meter, [4, 5]);
  assert.deepEqual(await shown(meter), {
    intervals: [...accepted, "disputed", "actual"],
    registers: [...accepted, "disputed", "undisputed"],
    quality: [...accepted.map((one) => `${one} true`), "disputed false", "undisputed true"],
    decisive: [1, 2, 3, 5],
  });
  const [again] = await settle([meter], settlement);
  assert.deepEqual([again?.intervals, again?.registers, again?.powerQuality], [1, 1, 1]);
  assert.deepEqual((await shown(meter)).decisive, [1, 2, 3, 4, 5]);
});

test("what comes into a time that was accepted is a finding of its own, of exactly those values: somebody sees and settles it, it is no ground for arrears, and no score falls twice", async () => {
  const { pool, scope, meters } = database;
  const meter = 13;
  const { id } = meters[meter]!;
  await store(meter, [1, 2]);
  await find(meter, "P-1", 0, 4);
  const score = async () => (await trustScores(pool, scope, [id], at(4))).get(id);
  const before = await score();
  await settle([meter], { verdict: "accepted", from: at(0), to: at(4) });
  const accepted = "P-1  4 accepted";
  assert.deepEqual([await listed(meter), await isNoGround(meter)], [[accepted], false]);
  await store(meter, [3]);
  const late = (standing: string) => ROWS.map((rows) => `P-1 ${rows} 3 ${standing}`);
  const open = [accepted, ...late("disputed")];
  assert.deepEqual([await listed(meter), await isNoGround(meter)], [open, true]);
  assert.equal(await score(), before);
  // The same again is nothing new, and what proves nothing is used by nobody.
  await store(meter, [3]);
  const energy = { obis: "1-0:1.8.0", unit: "Wh", value: 9, at: at(1) };
  await store(meter, [], { registers: [{ ...energy, evidence: { ...evidence(), protection: "none" } }] });
  assert.deepEqual(await listed(meter), open);
  // Another register of a moment that was seen is by itself: what stands beside it was accepted.
  await store(meter, [], { registers: [{ ...energy, obis: "1-0:2.8.0", evidence: evidence() }] });
  assert.deepEqual(await listed(meter), [...open, "P-1 registers 1 disputed"]);
  const { readings } = await registerReadings(pool, scope, meters[meter]!, { ...WINDOW, trust: "all" });
  assert.deepEqual(
    readings
      .filter(({ time, protection }) => Date.parse(time) === at(1) && protection !== "none")
      .map(({ obis, standing }) => `${obis} ${standing}`)
      .sort(),
    ["1-0:1.8.0 accepted", "1-0:2.8.0 disputed"],
  );
  // Settled by itself, and what was accepted before stays so.
  await settle([meter], { verdict: "accepted", from: at(3) - 1, to: at(3), rule: "P-1" });
  assert.deepEqual(await listed(meter), [accepted, ...late("accepted"), "P-1 registers 1 disputed"]);
  assert.equal(await isNoGround(meter), true);
  await settle([meter], { verdict: "accepted", from: at(0), to: at(1) });
  assert.deepEqual(await isNoGround(meter), false);
  assert.deepEqual((await shown(meter)).decisive, [1, 2, 3]);
  // What comes after that is another.
  await store(meter, [], { registers: [{ ...energy, obis: "1-0:2.8.0", value: 10, evidence: evidence() }] });
  assert.deepEqual((await listed(meter)).slice(-2), ["P-1 registers 1 accepted", "P-1 registers 1 disputed"]);
});

test("what comes into a time that was rejected, or that another rule is open about, is not settled with what was seen before", async () => {
  const meter = 14;
  await store(meter, [1], { periodSeconds: 900 });
  await find(meter, "P-1", 0, 4);
  await find(meter, "P-14", 2, 4);
  await settle([meter], { verdict: "rejected", from: at(0), to: at(4), rule: "P-1" });
  await store(meter, [2, 3, 4], { periodSeconds: 900, registers: [], quality: [] });
  const seen = ["P-1  4 rejected", "P-14  4 disputed"];
  assert.deepEqual(await listed(meter), [...seen, "P-1 intervals 4 disputed"]);
  assert.deepEqual((await shown(meter)).intervals, ["rejected", "disputed", "disputed", "disputed"]);
  // Another channel of a moment about which one of the same rule is open: with that it is settled.
  const volts = { obis: "1-0:32.24.0", unit: "V", value: 230, at: at(2), status: undefined, evidence: evidence() };
  await store(meter, [], { intervals: [volts] });
  assert.deepEqual(await listed(meter), [...seen, "P-1 intervals 4 disputed"]);
  await settle([meter], { verdict: "accepted", from: at(0), to: at(4), rule: "P-14" });
  assert.deepEqual((await shown(meter)).intervals, ["rejected", "disputed", "disputed", "disputed"]);
  await settle([meter], { verdict: "rejected", from: at(1), to: at(4), rule: "P-1" });
  assert.deepEqual((await shown(meter)).intervals, ["rejected", "rejected", "rejected", "rejected"]);
  assert.deepEqual(await listed(meter), ["P-1  4 rejected", "P-14  4 accepted", "P-1 intervals 4 rejected"]);
});

test("who accepts all of a finding and rejects a part of it since has not accepted it", async () => {
  const meter = 15;
  await store(meter, [1, 2]);
  await find(meter, "P-1", 0, 2);
  await settle([meter], { verdict: "accepted", from: at(0), to: at(2) });
  await settle([meter], { verdict: "accepted", from: at(0), to: at(1) });
  assert.deepEqual([await listed(meter), await isNoGround(meter)], [["P-1  2 accepted"], false]);
  await settle([meter], { verdict: "rejected", from: at(0), to: at(1) });
  assert.deepEqual([await listed(meter), await isNoGround(meter)], [["P-1  2 disputed"], true]);
});
