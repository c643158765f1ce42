import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operation } from "../operation/operation.ts";
import { DEFAULT_THRESHOLDS } from "../threshold/thresholds.ts";
import type { GuardFacts, TargetFacts, WorkOrder } from "./facts.ts";
import { judge } from "./judge.ts";
import { pickupDelays, planWaves, stopsBecause } from "./plan.ts";
import { RULE_IDS } from "./rules.ts";

/** Wednesday, ten in the morning UTC. */
const NOW = Date.UTC(2026, 10, 18, 10);
const HOUR = 3_600_000;
const DISCONNECT: Operation = { kind: "disconnect", instance: "000060030aff" };
const RECONNECT: Operation = { kind: "reconnect", instance: "000060030aff" };

function target(at: number, more: Partial<TargetFacts> = {}): TargetFacts {
  return {
    systemTitle: `4D4B56${at.toString(16).toUpperCase().padStart(10, "0")}`,
    feeder: `F${Math.floor(at / 1000)}`,
    transformer: `T${Math.floor(at / 100)}`,
    loadW: 400,
    protectedAs: undefined,
    lastSwitchedAt: undefined,
    switchedToday: 0,
    account: { inArrears: true, notifiedAt: NOW - 48 * HOUR, contractW: 10_000 },
    ...more,
  };
}

function facts(
  targets: readonly TargetFacts[],
  more: Partial<GuardFacts["request"]> = {},
  fleet = 300_000,
): GuardFacts {
  const order: WorkOrder = {
    id: "WO-1",
    reason: "arrears",
    meters: new Set(targets.map(({ systemTitle }) => systemTitle)),
    notBefore: NOW - HOUR,
    notAfter: NOW + 24 * HOUR,
    cancelled: false,
  };
  const part = { ratedW: 400_000, offInHour: 0, offLoadInTenMinutesW: 0 };
  return {
    now: NOW,
    thresholds: DEFAULT_THRESHOLDS,
    principal: { hours: [8, 9, 10, 9, 8, 9], thisHour: 0, operations: new Set(["disconnect", "reconnect"]) },
    fleet: {
      meters: fleet,
      loadW: fleet * 400,
      off: { tenMinutes: 0, day: 0, month: 0, loadInTenMinutesW: 0 },
      transformers: new Map(targets.map(({ transformer }) => [transformer, { ...part, meters: 100 }])),
      feeders: new Map(targets.map(({ feeder }) => [feeder, { ...part, ratedW: undefined, meters: 1000 }])),
      signChanges: 0,
      frozen: undefined,
      clockJumpMilliseconds: undefined,
    },
    request: {
      operation: DISCONNECT,
      requester: "Rita",
      reason: "arrears",
      isEmergency: false,
      notBefore: NOW,
      targets,
      peak: { meters: 0, loadW: 0 },
      workOrderId: "WO-1",
      workOrder: order,
      billingAnswered: true,
      sameAs: undefined,
      ...more,
    },
  };
}

const small = (targets: readonly TargetFacts[]) => ({ meters: targets.length, loadW: targets.length * 400 });
const rulesOf = (of: GuardFacts) => judge(of, small).findings.map(({ rule }) => rule);
const one = [target(1)];
const withFleet = (change: Partial<GuardFacts["fleet"]>): GuardFacts => {
  const base = facts(one);
  return { ...base, fleet: { ...base.fleet, ...change } };
};

test("one home with a work order, arrears and notice is switched off on a weekday morning", () => {
  assert.deepEqual(judge(facts(one), small), { findings: [], targets: one, verdict: "goes-on" });
});

test("300 000 disconnects in one call are quarantined as a whole, by several rules", () => {
  const targets = Array.from({ length: 300_000 }, (_, at) => target(at));
  const { verdict, findings } = judge(facts(targets), small);
  assert.equal(verdict, "quarantined");
  for (const rule of ["MC-01", "MC-02", "MC-03", "MC-04", "MC-16"])
    assert.ok(
      findings.some((finding) => finding.rule === rule),
      rule,
    );
});

test("what is about one meter sets that meter aside, and the rest goes on", () => {
  const cases: readonly (readonly [string, Partial<TargetFacts>])[] = [
    ["MC-09", { protectedAs: "hospital" }],
    ["MC-10", { account: { inArrears: false, notifiedAt: NOW - 48 * HOUR, contractW: undefined } }],
    ["MC-11", { account: { inArrears: true, notifiedAt: NOW - 23 * HOUR, contractW: undefined } }],
    ["MC-05", { lastSwitchedAt: NOW - 14 * 60_000 }],
    ["MC-05", { switchedToday: 4 }],
  ];
  for (const [rule, more] of cases) {
    const { verdict, findings, targets } = judge(facts([target(1), target(2, more)]), small);
    assert.deepEqual([verdict, targets.length, findings[0]?.rule, findings[0]?.about], ["goes-on", 1, rule, "meters"]);
  }
});

test("a billing system that is silent, another reason, or no work order refuses everything", () => {
  assert.deepEqual(rulesOf(facts(one, { billingAnswered: false })), ["MC-10"]);
  assert.deepEqual(rulesOf(facts(one, { workOrderId: "" })), ["MC-10"]);
  assert.deepEqual(rulesOf(facts(one, { workOrder: undefined })), ["MC-10"]);
  assert.ok(rulesOf(facts(one, { reason: "move-out" })).includes("MC-10"));
});

test("nobody is switched off at night, on a weekend, or by a clock that was set", () => {
  assert.deepEqual(rulesOf({ ...facts(one), now: NOW + 10 * HOUR }), ["MC-08"]);
  const saturday = NOW + 72 * HOUR;
  assert.ok(rulesOf({ ...facts(one), now: saturday }).includes("MC-08"));
  assert.deepEqual(rulesOf(withFleet({ clockJumpMilliseconds: 90_000 })), ["MC-08"]);
});

test("a slow drip reaches the cap of a month, a swing stops everything, and what is frozen stays so", () => {
  const drip = { tenMinutes: 0, day: 0, month: 6_000, loadInTenMinutesW: 0 };
  assert.deepEqual(rulesOf(withFleet({ off: drip })), ["MC-01"]);
  assert.deepEqual(rulesOf(withFleet({ signChanges: 21 })), ["MC-06"]);
  assert.deepEqual(rulesOf(withFleet({ frozen: "drill" })), ["MC-19"]);
});

test("six homes of one transformer are too many, two are not", () => {
  const six = Array.from({ length: 6 }, (_, at) => target(at));
  assert.ok(rulesOf(facts(six)).includes("MC-03"));
  assert.deepEqual(rulesOf(facts(six.slice(0, 2))), []);
});

test("reconnecting passes every cap and needs no billing system", () => {
  const targets = Array.from({ length: 5_000 }, (_, at) => target(at));
  const request = { operation: RECONNECT, reason: "restore", billingAnswered: false, workOrderId: "" };
  assert.deepEqual(judge(facts(targets, request), small).verdict, "goes-on");
});

test("another person waives caps and novelty, and nothing else", () => {
  const six = Array.from({ length: 6 }, (_, at) => target(at));
  assert.equal(judge(facts(six), small, new Set(["MC-03"])).verdict, "goes-on");
  const silent = facts(six, { billingAnswered: false });
  assert.equal(judge(silent, small, new Set(["MC-03", "MC-10"])).verdict, "quarantined");
});

test("waves grow from one, none is larger than the cap, and reconnecting comes a tenth of a transformer a minute", () => {
  const waves = planWaves(200, 300_000, 60, 600);
  assert.deepEqual(
    waves.map(({ targets }) => targets),
    [1, 10, 60, 60, 60, 9],
  );
  assert.equal(waves.at(-1)?.soakSeconds, 0);
  const delays = pickupDelays(100);
  for (let minute = 0; minute < 10; minute += 1)
    assert.equal(delays.filter((delay) => Math.floor(delay / 60) === minute).length, 10);
});

test("a campaign stops by itself at the first relay that stands otherwise", () => {
  const stop = { failedPermyriad: 200, lostPermyriad: 50, unexpected: 1 };
  assert.equal(stopsBecause({ tried: 1000, failed: 20, lost: 5, unexpected: 0 }, stop), undefined);
  assert.equal(stopsBecause({ tried: 1000, failed: 21, lost: 0, unexpected: 0 }, stop)?.rule, "MC-13");
  assert.equal(stopsBecause({ tried: 1000, failed: 0, lost: 0, unexpected: 1 }, stop)?.rule, "MC-14");
});

test("there is a rule for each id from MC-01 to MC-23", () => {
  assert.deepEqual(
    RULE_IDS,
    Array.from({ length: 23 }, (_, at) => `MC-${String(at + 1).padStart(2, "0")}`),
  );
});
