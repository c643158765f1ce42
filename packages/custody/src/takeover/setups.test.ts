import assert from "node:assert/strict";
import { test } from "node:test";
import { type KeyRecord, PURPOSE } from "../store/records.ts";
import { sampleMeter } from "../testing/samples.ts";
import { caller, carryTakeover, DEPOT, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { type Journal, newJournal, rotationJournal } from "./journal.ts";
import { takeoverState } from "./view.ts";

const TITLE = "5453540000000301";
const OPERATOR = caller("operator");

test("a meter with a security setup whose keys nobody told us is open there: no takeover of the other is worth more than exposed", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE, secondSetup: true });
    await custody.add(meter, { holders: ["Maker", "Shipper"] });
    const { state } = await carryTakeover(custody, meter, { by: DEPOT });
    assert.deepEqual([state.verdict, state.grade], ["proven", "exposed"]);
    assert.match(
      state.sentence,
      /security setup 1 as well, whose keys nobody has told us: Maker or Shipper may open it/,
    );
    const found = state.steps.find(({ step }) => step === "find-clients");
    assert.equal(found?.outcome, "unproven");
    assert.match(found?.detail ?? "", /security setup 1, whose keys nobody has told us/);
    const entries = await custody.store.ledger.read(0, 1000);
    const proven = entries.find(({ kind }) => kind === "takeover-proven");
    assert.deepEqual(JSON.parse(String(proven?.body)), { detail: "exposed" });
    const { meters } = await custody.custody.service.exposedMeters({}, OPERATOR);
    assert.deepEqual(
      meters.map(({ way }) => way),
      ["keys"],
    );
  }));

test("a meter that was taken over before anybody asked for setups is asked with its next rotation, and its grade falls then", () => {
  const asked = { state: "settled", asked: 1 } as const;
  const before: Journal = { ...newJournal(), verdict: "proven", search: asked };
  const plan = { cause: "demand", purposes: [PURPOSE.GAK] } as const;
  const outcome = { grade: "shielded", verdict: "proven", steps: [], sentence: "Proven." } as const;
  const rotation = rotationJournal(before, plan, outcome);
  assert.equal(rotation.search, undefined);
  const told = { ...before, search: { ...asked, setups: [1] } };
  assert.deepEqual(rotationJournal(told, plan, outcome).search?.setups, [1]);
  const { meter, keys } = sampleMeter(1);
  const gradeWith = (held: readonly KeyRecord[], setups: readonly number[]) =>
    takeoverState({ meter, keys: held }, { ...rotation, search: { ...asked, setups } }, true).grade;
  assert.equal(gradeWith(keys, []), "shielded");
  assert.equal(gradeWith(keys, [1]), "exposed");
  assert.equal(gradeWith([...keys, ...keys.map((key) => ({ ...key, setup: 1 }))], [1]), "shielded", "told of since");
});
