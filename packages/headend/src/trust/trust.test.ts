import assert from "node:assert/strict";
import { test } from "node:test";
import type { TrustStateName } from "@meterkeep/api";
import { TAKEOVER_GRADES, TAKEOVER_PHASES, TAKEOVER_VERDICTS } from "@meterkeep/api/custodian";
import { judgeTrust, type TrustFacts } from "./trust.ts";

const FACTS: TrustFacts = {
  phase: "done",
  grade: "exposed",
  verdict: "proven",
  holders: ["Maker"],
  protection: undefined,
};

const TABLE: readonly (readonly [what: string, facts: Partial<TrustFacts>, state: TrustStateName])[] = [
  ["a shipped meter nobody spoke with", { phase: "not-started", verdict: "pending", grade: "none" }, "held"],
  ["a takeover under way", { phase: "in-progress", verdict: "pending" }, "held"],
  ["a lost reply", { phase: "probing", verdict: "unknown" }, "held"],
  ["proven over the field network, the factory keys known to others", {}, "provisional"],
  ["proven over the field network, nobody else had the keys", { holders: [] }, "trusted"],
  ["proven in the depot", { grade: "shielded" }, "trusted"],
  ["a liar that keeps the factory's keys", { verdict: "keeps-factory-keys" }, "quarantined"],
  ["a liar that keeps the master key", { verdict: "keeps-master-key", grade: "shielded" }, "quarantined"],
  ["another meter than was shipped", { verdict: "identity-differs" }, "quarantined"],
  ["one that refuses to change its keys", { verdict: "refuses-key-change" }, "held"],
  ["a real meter not heard yet", { phase: "not-applicable", grade: "none" }, "held"],
  ["a real meter with tags", { phase: "not-applicable", protection: "authenticated" }, "provisional"],
  ["a real meter without tags", { phase: "not-applicable", protection: "confidential" }, "held"],
  ["a real meter in clear", { phase: "not-applicable", protection: "none" }, "held"],
  ["whatever a person has imposed", { imposed: { state: "retired", why: "It was scrapped." } }, "retired"],
];

for (const [what, facts, state] of TABLE)
  test(`${what} is ${state}`, () => {
    const judged = judgeTrust({ ...FACTS, ...facts });
    assert.equal(judged.state, state);
    assert.match(judged.sentence, /^[A-Z].*\.$/);
  });

test("only a proven takeover can make a source trusted, and a liar never is", () => {
  for (const phase of TAKEOVER_PHASES)
    for (const grade of TAKEOVER_GRADES)
      for (const verdict of TAKEOVER_VERDICTS)
        for (const holders of [[], ["Maker", "Shipper"]]) {
          const { state } = judgeTrust({ ...FACTS, phase, grade, verdict, holders });
          if (state === "trusted") assert.equal(verdict, "proven");
          if (phase === "left") assert.equal(state, "retired");
          else if (verdict.startsWith("keeps-") && phase !== "not-applicable") assert.equal(state, "quarantined");
        }
});

test("an exposed takeover names who could have listened", () => {
  assert.match(
    judgeTrust({ ...FACTS, holders: ["Maker", "Shipper", "Depot"] }).sentence,
    /Maker, Shipper and Depot held/,
  );
});
