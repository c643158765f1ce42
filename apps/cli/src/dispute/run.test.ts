import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlausibilityFindingView } from "@meterkeep/api";
import { disputesText, settledText } from "./run.ts";

const FINDING: PlausibilityFindingView = {
  number: 7,
  rule: "P-8",
  words: "",
  meter: "4D4B560000000001",
  about: "Home 1",
  from: "2026-11-21T12:00:00.000Z",
  to: "2026-11-21T13:00:00.000Z",
  foundAt: "2026-11-21T13:05:00.000Z",
  severity: "alert",
  confidence: 1,
  disputes: true,
  standing: "disputed",
  sentence: "Its clock was 200 s fast.",
  data: {},
};

test("a list of disputes says so where older findings were not looked at, above all where it is empty", () => {
  const cut = /Looked at were the newest 1000 findings: name a meter or a rule for older ones\.\n$/;
  assert.equal(disputesText([], false), "No finding disputes anything that nobody has settled.\n");
  assert.match(disputesText([], true), cut);
  assert.doesNotMatch(disputesText([], true), /No finding disputes anything/);
  assert.match(disputesText([FINDING], true), cut);
  assert.doesNotMatch(disputesText([FINDING], false), cut);
  assert.match(disputesText([FINDING], false), /P-8 +4D4B560000000001 .* disputed +Its clock was 200 s fast\./);
});

test("a finding about parts of its time says so, and a dry run says with which digest it is carried out", () => {
  const { from, to } = FINDING;
  const parts = { ...FINDING, stretches: [1, 2, 3].map(() => ({ from, to })) };
  assert.match(disputesText([parts], false), /13:00:00\.000Z, 3 parts of it {2}/);
  const meters = [
    { meter: "4D4B560000000001", label: "Home 1", intervals: 4, registers: 0, powerQuality: 0, disputes: 1 },
  ];
  const settled = { verdict: "accepted", digest: "1-1-0-4-ab", meters } as const;
  assert.match(
    settledText({ ...settled, meters, dryRun: true }),
    /^Nothing was changed\..*\n {2}--digest 1-1-0-4-ab\n$/m,
  );
  assert.match(settledText({ ...settled, meters, dryRun: false }), /\nThese values are accepted\.\n$/);
});
