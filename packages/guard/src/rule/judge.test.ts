import assert from "node:assert/strict";
import { test } from "node:test";
import { facts, HOUR, NOW, RECONNECT, target } from "../testing/guard-facts.ts";
import type { TargetFacts } from "./facts.ts";
import { judge } from "./judge.ts";
import { RULE_IDS } from "./rules.ts";

const small = (targets: readonly TargetFacts[]) => ({ meters: targets.length, loadW: targets.length * 400 });
const one = [target(1)];

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

test("there is a rule for each id from MC-01 to MC-23", () => {
  assert.deepEqual(
    RULE_IDS,
    Array.from({ length: 23 }, (_, at) => `MC-${String(at + 1).padStart(2, "0")}`),
  );
});
