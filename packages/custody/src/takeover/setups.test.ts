import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeyState } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { nodeRandom, SecretKey } from "@meterkeep/dlms-node";
import { Association } from "../conversation/association.ts";
import { purposeName } from "../keys/purposes.ts";
import { meterFacts } from "../protocol/meter-facts.ts";
import { placedKeys, workingKeys } from "../protocol/meter-keys.ts";
import { type KeyRecord, type MeterFile, PURPOSE } from "../store/records.ts";
import { sampleMeter } from "../testing/samples.ts";
import { caller, carryTakeover, DEPOT, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { type Journal, newJournal, rotationJournal } from "./journal.ts";
import { takeoverStateOf } from "./meter-state.ts";
import { settledKeys } from "./settled-keys.ts";
import { journalOf, keysCameWith } from "./view.ts";

const TITLE = "5453540000000301";
const OPERATOR = caller("operator");

/** Whether a client opens a meter with keys of its own (GUEK, GBEK, GAK, KEK). */
function opens(meter: TestMeter, [unicast, , authentication]: readonly Uint8Array[], clientSap: number): boolean {
  assert.ok(unicast && authentication);
  const keys = workingKeys(SecretKey.copy(unicast), SecretKey.copy(authentication));
  const title = systemTitle(fromHex("4F574E0000000001"));
  const { meter: facts } = sampleMeter(1, { systemTitle: meter.systemTitle });
  using association = Association.secured(facts, meterFacts(facts.profile), keys, title, nodeRandom);
  const line = meter.connect(clientSap, 1);
  let effect = association.take({ kind: "associate", invocationCounter: 100_000 });
  while (effect?.kind === "send") {
    const apdu = line.exchange(effect.apdu);
    effect = apdu && association.take({ kind: "received", apdu });
  }
  return effect?.kind === "established";
}

test("a meter with a security setup that nobody takes over is open there: no takeover of the first is worth more than exposed", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE, secondSetup: true });
    await custody.add(meter, { holders: ["Maker", "Shipper"] });
    const { state } = await carryTakeover(custody, meter, { by: DEPOT });
    assert.deepEqual([state.verdict, state.grade], ["proven", "exposed"]);
    assert.match(state.sentence, /security setup 1 as well, which nobody has taken over: Maker or Shipper may open it/);
    const found = state.steps.find(({ step }) => step === "find-clients");
    assert.equal(found?.outcome, "unproven");
    assert.match(found?.detail ?? "", /security setup 1, which nobody takes over/);
    const entries = await custody.store.ledger.read(0, 1000);
    const proven = entries.find(({ kind }) => kind === "takeover-proven");
    assert.deepEqual(JSON.parse(String(proven?.body)), { detail: "exposed" });
    const [first, second] = meter.setups;
    assert.ok(second);
    assert.deepEqual(
      [second.keys, second.lowestCounter],
      [second.factoryKeys, 0],
      "neither keys nor counters of it were touched",
    );
    assert.ok(first.lowestCounter > 0);
    // What the sentence says is so: whoever has its factory keys opens it as the client of that setup.
    assert.equal(opens(meter, second.factoryKeys, 5), true);
    assert.equal(opens(meter, first.factoryKeys, 1), false);
    assert.equal(opens(meter, first.keys, 5), false, "the keys of one setup are not those of another");
    const { meters } = await custody.custody.service.exposedMeters({}, OPERATOR);
    assert.deepEqual(
      meters.map(({ way }) => way),
      ["setups"],
    );
  }));

test("a meter of which keys of another setup are held, and which tells of none, is exposed in the ledger as well", () =>
  withTestCustody(async (custody) => {
    const [meter, other] = [TITLE, "5453540000000302"].map(
      (title, at) => new TestMeter({ systemTitle: title, secondSetup: at === 1 }),
    ) as [TestMeter, TestMeter];
    const { systemTitle: title, logicalDeviceName, factoryKeys, factorySecrets } = meter;
    const setups = [meter.setups[0], other.setups[1] as (typeof other.setups)[0]] as const;
    await custody.add({ systemTitle: title, logicalDeviceName, factoryKeys, factorySecrets, setups });
    const { state } = await carryTakeover(custody, meter, { by: DEPOT });
    assert.deepEqual([state.verdict, state.grade], ["proven", "exposed"]);
    const entries = await custody.store.ledger.read(0, 1000);
    const proven = entries.find(({ kind }) => kind === "takeover-proven");
    assert.deepEqual(JSON.parse(String(proven?.body)), { detail: "exposed" });
  }));

test("the keys that a meter came back with are those that the ledger says, whatever its rows say of when and whence", () => {
  const { keys } = sampleMeter(1);
  const came = (version: number, setups: readonly number[]) =>
    setups.flatMap((setup) => keys.map((key): KeyRecord => ({ ...key, setup, version, createdAt: 5000 - version })));
  const first = came(1, [0, 1, 2]);
  const made = keys.map((key): KeyRecord => ({ ...key, version: 2, origin: "generated", createdAt: 9000 }));
  const back = came(3, [0, 1]);
  const names = back.map(({ purpose, setup, version }) => ({ purpose: purposeName(purpose), setup, version }));
  const history = [{ kind: "meter-readmitted", body: { keys: names } }] as const;
  const versionsOf = (file: Parameters<typeof keysCameWith>[0], setup: number) =>
    keysCameWith(file).flatMap((key) => (key.setup === setup && key.purpose === PURPOSE.KEK ? key.version : []));
  const returned = { keys: [...first, ...made, ...back], history };
  assert.deepEqual([versionsOf(returned, 1), versionsOf(returned, 2)], [[3], []]);
  assert.equal(journalOf({ ...returned, takeovers: [] }, 1).journal.old[PURPOSE.KEK], 3);
  assert.deepEqual(versionsOf({ keys: [...first, ...made], history: [] }, 2), [1]);
});

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
  const gradeWith = (held: readonly KeyRecord[], setups: readonly number[]) => {
    const journal = { ...rotation, search: { ...asked, setups } };
    return takeoverStateOf({ meter, keys: held, takeovers: [], history: [] }, { setup: 0, journal, isBegun: true })
      .grade;
  };
  assert.equal(gradeWith(keys, []), "shielded");
  assert.equal(gradeWith(keys, [1]), "exposed");
  const others = keys.map((key) => ({ ...key, setup: 1 }));
  for (const told of [[1], []])
    assert.equal(
      gradeWith([...keys, ...others], told),
      "exposed",
      "to have its keys, or a row of them, is not to have taken it over, whatever it says",
    );
});

test("keys of another security setup stand for none of the first, whatever their versions and states", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter, { by: DEPOT });
    const file = await custody.store.load(TITLE);
    assert.ok(file);
    const { keys } = file;
    const withOthers = (state: KeyState): MeterFile => {
      const others = keys.map((key): KeyRecord => ({ ...key, setup: 1, state, provenAt: undefined }));
      return { ...file, keys: [...others, ...keys] };
    };
    const versions = settledKeys(file);
    assert.equal(takeoverStateOf(file).grade, "shielded");
    for (const state of ["active", "suspended", "compromised", "destroyed-compromised"] as const) {
      const mixed = withOthers(state);
      assert.deepEqual(settledKeys(mixed), versions, state);
      const { grade, sentence } = takeoverStateOf(mixed);
      assert.equal(grade, "exposed", "nobody has taken that setup over");
      assert.doesNotMatch(sentence, /compromised/, state);
      const names = [{ purpose: PURPOSE.GUEK, version: versions.GUEK }];
      assert.deepEqual(placedKeys(mixed.keys, names)[0]?.place.setup, 0);
    }
    // Where the row of the first setup is gone, that of another is not taken in its place; and moved there it does not open.
    const moved = keys.map((key): KeyRecord => ({ ...key, setup: 1 }));
    const name = { purpose: PURPOSE.GUEK, version: versions.GUEK };
    assert.throws(() => placedKeys(moved, [name]), { code: "vault-key-unknown" });
    assert.throws(() => placedKeys(moved, [{ ...name, client: 1 }]), { code: "vault-key-unknown" });
    const [at] = placedKeys(moved, [{ ...name, setup: 1 }]);
    assert.ok(at);
    await assert.rejects(async () => custody.vault.unseal([at]), { code: "vault-record-not-authentic" });
  }));
