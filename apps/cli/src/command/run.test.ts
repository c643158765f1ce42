import assert from "node:assert/strict";
import { test } from "node:test";
import { type CampaignTarget, type CampaignTargetDetail, type CampaignView, TARGET_STATES } from "@meterkeep/api";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { ask, campaignText, group, reportText, targetText } from "./run.ts";

test("a group is not emptied by forgetting to name its meters", async () => {
  const state = "/nonexistent";
  for (const more of [false, true])
    await assert.rejects(group("hill", [], { state, more }, scratchTerminal()), {
      code: "option-invalid",
      message: /group hill, or give --remove/,
    });
  await assert.rejects(group("hill", [], { state, remove: true }, scratchTerminal()), { code: "not-running" });
});

test("parameters that are no JSON object are refused with what one looks like, before anybody is asked", async () => {
  const state = "/nonexistent";
  for (const parameters of ["{mostSeconds:60}", "60", "[]", "null"])
    await assert.rejects(ask("clock", ["4D4B560000000001"], { state, reason: "test", parameters }, scratchTerminal()), {
      code: "option-invalid",
      message: /--parameters is a JSON object such as/,
    });
});

test("the report of a campaign counts its meters and tells of each once, those that failed before the others", () => {
  const counts = { ...Object.fromEntries(TARGET_STATES.map((state) => [state, 0])), done: 30, failed: 1, refused: 1 };
  const target = (n: number, state: string, more = {}) =>
    ({ meter: `M${n}`, label: `Home ${n}`, state, sentence: "why", ...more }) as unknown as CampaignTarget;
  const told = [target(7, "failed"), target(8, "refused", { rule: "MC-09" }), target(1, "done", { sentence: "" })];
  const text = reportText({ campaign: { counts } } as unknown as CampaignView, [...told, target(7, "failed")]);
  assert.deepEqual(text.split("\n"), [
    "  Meters: 30 done, 1 refused, 1 failed",
    "    M7 Home 7: failed: why",
    "    M8 Home 8: refused (MC-09): why",
    "    M1 Home 1: done",
    "    and 29 more",
    "",
  ]);
});

test("what one meter of a campaign said is told fact by fact, and what was read of it whole", () => {
  const detail = {
    target: { meter: "M1", label: "Home 1", state: "done", sentence: "It was set." },
    losses: 1,
    facts: [
      {
        name: "clock offset",
        object: "0.0.1.0.0.255/2",
        before: "40.0 s",
        wanted: "within 5 s",
        found: "0.1 s",
        holds: true,
      },
      { name: "limit", object: "x/4", found: "6000", holds: false },
    ],
    data: [{ obis: "1-0:1.8.0" }],
  } as unknown as CampaignTargetDetail;
  assert.deepEqual(targetText(detail).split("\n").slice(0, 5), [
    "M1 Home 1: done: It was set.",
    "  The line was lost 1 time.",
    "  + clock offset (0.0.1.0.0.255/2): 40.0 s before, 0.1 s, wanted within 5 s",
    "  x limit (x/4): 6000",
    "[",
  ]);
});

test("a campaign says how to approve it while it waits for that, and no longer", () => {
  const dryRun = {
    words: "reconnect",
    targets: 1,
    selected: 1,
    loadAtRiskW: 0,
    people: 1,
    findings: [],
    waves: [],
    verdict: "goes-on",
  };
  const text = (state: string) =>
    campaignText({
      campaign: { id: "c", state, sentence: "why" },
      manifest: { hash: "ab12" },
      dryRun,
    } as unknown as CampaignView);
  assert.match(text("awaiting-approval"), /npx meterkeep approve ab12 --as ID --key FILE/);
  assert.doesNotMatch(text("done"), /approve ab12/);
});
