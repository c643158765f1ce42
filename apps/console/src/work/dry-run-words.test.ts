import assert from "node:assert/strict";
import { test } from "node:test";
import type { DryRun } from "@meterkeep/api";
import { dryRunWords } from "./dry-run-words.ts";

const STOP: DryRun["findings"][number] = {
  rule: "MC-11",
  effect: "stop",
  about: "meters",
  sentence: "the billing system justifies no disconnection of 1 meter",
  meters: 1,
  loadW: 762,
  sample: [],
  releasable: false,
};
const STOPPED: DryRun = {
  words: "Disconnect",
  commandClass: "C3",
  direction: "off",
  selected: 1,
  targets: 0,
  loadAtRiskW: 0,
  people: 0,
  transformers: [],
  feeders: [],
  waves: [],
  lastAt: "2026-11-22T12:00:00Z",
  findings: [STOP],
  leftOut: [],
  verdict: "nothing-left",
};

test("what the guard stopped says so, and what it would have been, not that nothing is to do and nobody approves", () => {
  const { verdict, approval, hasStake } = dryRunWords(STOPPED);
  assert.equal(verdict, "Stopped by the guard: MC-11, the billing system justifies no disconnection of 1 meter.");
  assert.match(approval, /^Without that: 1 meter, 762\sW, and people who approve it\. 1 meter selected, none left/);
  assert.equal(hasStake, false);
  const twice = dryRunWords({ ...STOPPED, findings: [STOP, { ...STOP, rule: "MC-08" }] });
  assert.match(twice.verdict, /MC-11, .*; MC-08, /);
  assert.doesNotMatch(twice.approval, /Without that/, "meters that two rules set aside are not counted twice");
});

test("a dry run that goes on says who must approve it", () => {
  const going: DryRun = { ...STOPPED, findings: [], verdict: "goes-on", targets: 1, people: 2 };
  assert.match(dryRunWords({ ...going, waves: [{ targets: 1, soakSeconds: 0 }] }).approval, /1 wave, 2 people must/);
  assert.equal(dryRunWords({ ...STOPPED, findings: [] }).verdict, "None of what is selected takes it.");
});
