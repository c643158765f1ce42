import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeterId } from "../inventory/meter.ts";
import { type MeterHistory, NO_HISTORY } from "./history.ts";
import type { MeterDay } from "./meter-day.ts";
import type { MeterFacts } from "./meter-facts.ts";
import { judgeMeterDay } from "./meter-rules.ts";

const DAY = 86_400_000;
const QUARTER = 900_000;
const MONDAY = Date.parse("2026-03-02T00:00:00Z");
const SLOTS = 96;
const NOTHING = new Float64Array(SLOTS).fill(Number.NaN);
/** A day that varies and repeats itself nowhere. */
const ORDINARY = Float64Array.from({ length: SLOTS }, (_, slot) => 100 + ((slot * 37) % 89));

interface Case {
  readonly energy?: Float64Array;
  readonly register?: Float64Array | undefined;
  readonly fed?: Float64Array;
  readonly day?: number;
  readonly facts?: Partial<MeterFacts>;
  readonly history?: Partial<MeterHistory>;
}

function judge({ energy = ORDINARY, register, fed = NOTHING, day = MONDAY, facts = {}, history = {} }: Case) {
  const own: MeterDay = {
    day,
    periodSeconds: 900,
    drawn: { energy, register, registerBefore: register === undefined ? undefined : 0 },
    fed: { energy: fed, register: undefined, registerBefore: undefined },
    voltage: NOTHING,
  };
  const all: MeterFacts = {
    meter: 1 as MeterId,
    label: "Home 1",
    role: "home",
    phases: 1,
    ratedKva: undefined,
    ratios: {},
    registers: [],
    open: [],
    supplied: true,
    voltage: 231,
    times: { contradicted: 0, offGrid: 0, absent: 0 },
    ...facts,
  };
  return judgeMeterDay(own, all, { ...NO_HISTORY, ...history });
}

const rulesOf = (one: Case): readonly string[] => judge(one).findings.map(({ rule }) => rule);
const with_ = (changes: Readonly<Record<number, number>>, of = ORDINARY): Float64Array =>
  of.map((value, slot) => changes[slot] ?? value);
const summed = (energy: Float64Array): Float64Array => {
  let sum = 0;
  return energy.map((value) => (sum += value));
};
const total = ORDINARY.reduce((sum, value) => sum + value, 0);
const point = (at: number, wattHours: number, source: "session" | "push" = "session") =>
  ({ direction: "drawn", at, wattHours, source }) as const;
const week = (wattHours: number, spread: number) =>
  Array.from({ length: 14 }, (_, n) => ({
    day: MONDAY - (n + 1) * 7 * DAY,
    wattHours: wattHours + (n % 2 === 0 ? spread : -spread),
  }));

test("an ordinary day is plausible", () => {
  const registers = [point(MONDAY, 5_000), point(MONDAY + DAY, 5_000 + total)];
  assert.deepEqual(rulesOf({ facts: { registers }, history: { totals: week(total, 300), variance: 600 } }), []);
});

test("P-1: the intervals of a day sum up to what the registers of its midnights say, but for their resolution", () => {
  const ended = (wattHours: number) => ({ registers: [point(MONDAY, 5_000), point(MONDAY + DAY, 5_000 + wattHours)] });
  assert.deepEqual(rulesOf({ facts: ended(total + 5) }), []);
  assert.deepEqual(rulesOf({ facts: ended(total * 2) }), ["P-1"]);
  assert.deepEqual(rulesOf({ facts: ended(total / 2) }), ["P-1"]);
  // Where intervals are missing too little says nothing, and too much does.
  const holes = with_({ 3: Number.NaN, 4: Number.NaN });
  assert.deepEqual(rulesOf({ energy: holes, facts: ended(total) }), []);
  assert.deepEqual(rulesOf({ energy: holes, facts: ended(total / 2) }), ["P-1"]);
});

test("P-2: a register falls only when it rolls over", () => {
  const rises = summed(ORDINARY);
  assert.deepEqual(rulesOf({ register: rises }), []);
  assert.deepEqual(rulesOf({ register: rises.map((value, slot) => (slot > 50 ? value - 4_000 : value)) }), ["P-2"]);
  const read = (after: number) => ({
    registers: [point(MONDAY + QUARTER, 999_999_500), point(MONDAY + 5 * QUARTER, after)],
  });
  assert.deepEqual(rulesOf({ facts: read(120) }), []);
  assert.deepEqual(rulesOf({ facts: read(700_000_000) }), ["P-2"]);
});

test("P-3: an interval holds no more than the fuses let pass, or the transformer gives", () => {
  const high = with_({ 40: 6_400 }, new Float64Array(SLOTS).fill(6_000));
  assert.ok(rulesOf({ energy: high }).includes("P-3"));
  assert.ok(!rulesOf({ energy: high, facts: { phases: 3 } }).includes("P-3"));
  const transformer = { role: "transformer", ratedKva: 100 } as const;
  assert.ok(!rulesOf({ energy: with_({ 40: 30_000 }), facts: transformer }).includes("P-3"));
  const { findings } = judge({ energy: with_({ 40: 40_000 }), facts: transformer });
  assert.deepEqual(findings.find(({ rule }) => rule === "P-3")?.stretch, {
    from: MONDAY + 40 * QUARTER,
    to: MONDAY + 41 * QUARTER,
  });
});

test("P-3: behind instrument transformers an interval holds what those are made for, and no more", () => {
  const behind = (ratios: MeterFacts["ratios"]) => (wattHours: number) =>
    rulesOf({
      energy: with_({ 40: wattHours }, new Float64Array(SLOTS).fill(0.9 * wattHours)),
      facts: { ratios, phases: 3 },
    });
  const current = behind({ current: 250 / 5 });
  assert.deepEqual([current(50_000), current(57_000)], [[], ["P-3"]]);
  const both = behind({ current: 200 / 5, voltage: 20_000 / 100 });
  assert.deepEqual([both(2_200_000), both(2_300_000)], [[], ["P-3"]]);
});

test("P-4: an interval that is nearly three times the third highest stands out, and little ones never do", () => {
  assert.deepEqual(rulesOf({ energy: with_({ 40: 600 }) }), ["P-4"]);
  assert.deepEqual(rulesOf({ energy: with_({ 40: 400 }) }), []);
  const little = ORDINARY.map((value) => value / 10);
  assert.deepEqual(rulesOf({ energy: with_({ 40: 600 }, little) }), []);
});

test("P-5: nothing counted for a day and for twice as long as ever is noted where there are voltage and supply", () => {
  const zeros = new Float64Array(SLOTS);
  const history = {
    zeroRun: 60,
    totals: week(total, 300).slice(0, 1),
    longestZeroRuns: [{ from: MONDAY - DAY, intervals: 40 }],
  };
  assert.deepEqual(rulesOf({ energy: zeros, history }), ["P-5"]);
  assert.deepEqual(
    rulesOf({ energy: zeros, history: { ...history, longestZeroRuns: [{ from: MONDAY, intervals: 90 }] } }),
    [],
  );
  assert.deepEqual(rulesOf({ energy: zeros, history, facts: { supplied: false } }), []);
  assert.deepEqual(rulesOf({ energy: zeros, history, facts: { voltage: 0 } }), []);
});

test("P-6: twelve equal intervals are noted where they usually vary", () => {
  const still = ORDINARY.map((value, slot) => (slot >= 20 && slot < 32 ? 123 : value));
  assert.deepEqual(rulesOf({ energy: still, history: { variance: 600 } }), ["P-6"]);
  assert.deepEqual(rulesOf({ energy: still, history: { variance: 2 } }), []);
  const { findings } = judge({ energy: still, history: { variance: 600 } });
  assert.deepEqual(findings[0]?.stretch, { from: MONDAY + 20 * QUARTER, to: MONDAY + 32 * QUARTER });
});

test("P-6: a day that is one round value over and over is noted by the steps of the days before", () => {
  const round = new Float64Array(SLOTS).fill(1_000);
  const before = judge({ history: { variance: 600 } }).history;
  assert.deepEqual(rulesOf({ energy: round, day: MONDAY + DAY, history: before }), ["P-6"]);
});

test("P-6: a load that is switched is at one value for as long as it mostly is, and no longer than twice that", () => {
  const lit = (slots: number): Float64Array => ORDINARY.map((value, slot) => (slot < slots ? 120 : value));
  let history: MeterHistory = { ...NO_HISTORY, variance: 600 };
  const found: (readonly string[])[] = [];
  for (const [n, slots] of [40, 38, 40, 40, 41, 82].entries()) {
    const judged = judge({ energy: lit(slots), day: MONDAY + n * DAY, history });
    found.push(judged.findings.flatMap(({ rule }) => (rule === "P-6" ? [rule] : [])));
    history = { ...judged.history, variance: 600 };
  }
  assert.deepEqual(found, [["P-6"], ["P-6"], ["P-6"], [], [], ["P-6"]]);
});

test("P-7: a day is held against the days of its type by median, so that a weekend is not held against a week", () => {
  assert.deepEqual(rulesOf({ history: { totals: week(total, 300) } }), []);
  assert.deepEqual(rulesOf({ history: { totals: week(total * 2, 300) } }), ["P-7"]);
  assert.deepEqual(rulesOf({ day: MONDAY + 5 * DAY, history: { totals: week(total * 2, 300) } }), []);
});

test("P-8: two values of one instant and rows between intervals are noted", () => {
  assert.deepEqual(rulesOf({ facts: { times: { contradicted: 4, offGrid: 0, absent: 0 } } }), ["P-8"]);
  assert.deepEqual(rulesOf({ facts: { times: { contradicted: 0, offGrid: 1, absent: 3 } } }), ["P-8"]);
  assert.deepEqual(rulesOf({ facts: { times: { contradicted: 0, offGrid: 0, absent: 3 } } }), []);
});

test("P-9: energy of intervals throughout which the relay was open is noted, and not of those in which it moved", () => {
  const open = (from: number, to: number) => ({ open: [{ from: MONDAY + from * QUARTER, to: MONDAY + to * QUARTER }] });
  assert.deepEqual(rulesOf({ facts: open(20.5, 23) }), ["P-9"]);
  assert.deepEqual(rulesOf({ facts: open(20.5, 21.5) }), []);
  const dark = ORDINARY.map((value, slot) => (slot >= 20 && slot < 30 ? 0 : value));
  assert.deepEqual(rulesOf({ energy: dark, facts: open(20, 30) }), []);
});

test("P-9: what lies between two openings of the relay is good, and in no stretch of the finding", () => {
  const open = [
    { from: MONDAY + 20 * QUARTER, to: MONDAY + 22 * QUARTER },
    { from: MONDAY + 40 * QUARTER, to: MONDAY + 41 * QUARTER },
  ];
  const [found] = judge({ facts: { open } }).findings;
  assert.deepEqual(
    found?.stretches?.map(({ from, to }) => [Math.floor((from - MONDAY) / QUARTER), (to - MONDAY) / QUARTER]),
    [
      [20, 22],
      [40, 41],
    ],
  );
  assert.deepEqual([found.stretch.from, found.stretch.to], [found.stretches?.[0]?.from, open[1]?.to]);
});

test("P-16: what was pushed is held against what was read of the same moment, and against the load profile", () => {
  const register = summed(ORDINARY);
  const truth = register[7] as number;
  const at = MONDAY + 8 * QUARTER;
  assert.deepEqual(rulesOf({ register, facts: { registers: [point(at, truth, "push")] } }), []);
  assert.deepEqual(rulesOf({ register, facts: { registers: [point(at, truth - 500, "push")] } }), ["P-16"]);
  const odd = at + 60_000;
  assert.deepEqual(rulesOf({ facts: { registers: [point(odd, 7_000), point(odd, 7_500, "push")] } }), ["P-16"]);
  assert.deepEqual(rulesOf({ facts: { registers: [point(odd, 7_500, "push")] } }), []);
});

test("P-17: who feeds in for the first time is noted, once", () => {
  const fed = new Float64Array(SLOTS).fill(20);
  const totals = week(total, 300).slice(0, 1);
  const first = judge({ fed, history: { totals } });
  assert.deepEqual(
    first.findings.map(({ rule }) => rule),
    ["P-17"],
  );
  assert.deepEqual(rulesOf({ fed, history: { totals, feeds: first.history.feeds } }), []);
});

test("runs of zeros go on over midnight, and what is not held neither ends nor lengthens them", () => {
  const night = ORDINARY.map((value, slot) => (slot >= 90 ? 0 : value));
  const first = judge({ energy: night }).history;
  assert.equal(first.zeroRun, 6);
  const next = judge({ energy: with_({ 0: 0, 1: Number.NaN, 2: 0 }), day: MONDAY + DAY, history: first }).history;
  assert.deepEqual([next.zeroRun, next.longestZeroRuns[0]?.intervals], [0, 8]);
});
