import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { PURPOSE, type Purpose } from "../store/records.ts";
import { FAULTS, PREPARE_FAULTS, run } from "../testing/takeover-world.ts";
import { TestCertificates } from "../testing/test-certificates.ts";
import { Crash, caller, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { gradeOf } from "./grade.ts";
import { journalOf } from "./view.ts";

const ALL: readonly Purpose[] = [0, 1, 2, 3];
const OPERATOR = caller("operator");
const agreeing = { rotating: ALL, agreement: true } as const;

test("where both sides can sign, a new master is agreed on first, and everything else goes under it", () => {
  const { journal, meter } = run("honest", [], agreeing);
  assert.equal(journal.verdict, "proven");
  assert.deepEqual(
    journal.steps.map(({ step, outcome }) => `${step} ${outcome}`),
    [
      "current-keys-association passed",
      "agree-master passed",
      "current-keys-association passed",
      "transfer-working-keys passed",
      "working-keys-association passed",
      "prove-master passed",
      "refuse-old-master passed",
      "refuse-old-keys passed",
      "done passed",
    ],
  );
  assert.equal(journal.agreedMaster, meter.keys[PURPOSE.KEK]);
  assert.equal(journal.exposed, false, "what was recorded on the way leads to no key");
  assert.equal(gradeOf(journal), "agreed");
});

test("the master alone, agreed on, leaves the grade as it was: the working keys went under the one before", () => {
  const { journal } = run("honest", [], { rotating: [PURPOSE.KEK], agreement: true });
  assert.equal(journal.verdict, "proven");
  assert.notEqual(gradeOf(journal), "agreed");
});

test("a meter that does not agree is given a master as ever, and one that only says so is caught", () => {
  const refuses = run("refuses-agreement", [], agreeing);
  assert.equal(refuses.journal.verdict, "proven");
  assert.equal(refuses.journal.agreedMaster, undefined);
  assert.equal(gradeOf(refuses.journal), "exposed");
  assert.notEqual(run("keeps-master", [], agreeing).journal.verdict, "proven");
});

test("whatever is lost while a master is agreed on, no meter is stranded and no key forgotten", () => {
  let faulted = 0;
  for (const arrays of [true, false])
    for (const first of FAULTS)
      for (let at = 0; at < 12; at += 1)
        for (const second of FAULTS) {
          const schedule = [...Array.from({ length: at }, () => "none" as const), first, second];
          const { journal, meter } = run("honest", schedule, { ...agreeing, arrays });
          const what = `${first} at ${at}, then ${second}`;
          assert.equal(journal.verdict, "proven", what);
          for (const purpose of [0, 2, 3] as const) assert.equal(journal.belief[purpose][0], meter.keys[purpose], what);
          faulted += 1;
        }
  for (const fault of PREPARE_FAULTS)
    assert.equal(run("honest", [], { ...agreeing, preparing: [fault] }).journal.verdict, "proven", fault);
  assert.ok(faulted > 2000, String(faulted));
});

/** A meter of suite 1 that has been taken over in the field, and enrolled. */
async function enrolled(custody: TestCustody, number = 1): Promise<TestMeter> {
  const title = `545354${(0x600 + number).toString(16).toUpperCase().padStart(10, "0")}`;
  const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
  assert.ok(root);
  const certificates = new TestCertificates(fromHex(title), root.certificate, []);
  const meter = new TestMeter({ systemTitle: title, certificates });
  await custody.add(meter, { profile: "idis-p3", securitySuite: 1 });
  const { state } = await carryTakeover(custody, meter);
  assert.equal(state.grade, "exposed");
  await enrol(custody, meter);
  return meter;
}

async function enrol(custody: TestCustody, meter: TestMeter) {
  custody.now += 10_000;
  await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END);
  await carryTakeover(custody, meter);
}

const titleOf = ({ systemTitle: title }: TestMeter) => systemTitle(fromHex(title));

async function rotated(custody: TestCustody, meter: TestMeter, ...purposes: readonly ("GUEK" | "GAK" | "KEK")[]) {
  const request = {
    meters: [titleOf(meter)],
    madeBefore: undefined,
    purposes: [...purposes],
    cause: "exposure",
    reason: "it can agree on keys",
  } as const;
  assert.equal((await custody.custody.service.planRotations(request, OPERATOR)).planned, 1);
  return carryTakeover(custody, meter);
}

async function stateOf(custody: TestCustody, meter: TestMeter) {
  const asked = { meters: [titleOf(meter)], after: undefined };
  const [state] = (await custody.custody.service.takeoverStates(asked, HEAD_END)).states;
  assert.ok(state);
  return state;
}

test("an exposed takeover of an enrolled meter becomes agreed by a rotation, and stays so by the next ones", () =>
  withTestCustody(
    async (custody) => {
      const meter = await enrolled(custody);
      const before = await custody.store.load(meter.systemTitle);
      assert.equal((await stateOf(custody, meter)).grade, "exposed");
      const { steps } = await rotated(custody, meter);
      assert.ok(steps.includes("agree-master"), steps.join());
      const state = await stateOf(custody, meter);
      assert.equal(state.grade, "agreed", state.sentence);
      assert.match(state.sentence, /agreed on/);
      const file = await custody.store.load(meter.systemTitle);
      assert.ok(file !== undefined);
      const master = file.keys.findLast(({ purpose }) => purpose === PURPOSE.KEK);
      assert.equal(master?.state, "active");
      assert.ok(master.provenAt !== undefined);
      assert.equal(journalOf(file).journal.agreedMaster, master.version);
      assert.ok((before?.keys.length ?? 0) < file.keys.length);
      await rotated(custody, meter, "GUEK", "GAK");
      assert.equal(
        (await stateOf(custody, meter)).grade,
        "agreed",
        "its keys went under the master that was agreed on",
      );
      // A master from before the agreement has carried none of the keys since.
      const compromise = {
        meter: titleOf(meter),
        purpose: "KEK",
        version: master.version - 1,
        client: undefined,
        command: "compromise",
        reason: "lost",
      } as const;
      await custody.custody.service.changeKeyState(compromise, OPERATOR);
      assert.equal((await stateOf(custody, meter)).grade, "agreed");
      await custody.custody.service.changeKeyState({ ...compromise, version: master.version }, OPERATOR);
      assert.equal((await stateOf(custody, meter)).grade, "exposed");
      const kinds = (await custody.store.ledger.read(0, 5000)).map(({ kind }) => kind);
      assert.ok(kinds.includes("master-agreed"));
    },
    undefined,
    { pki: { developmentTree: { utility: "stadtwerke", island: "mainland" } } },
  ));

test("killed before or after any commit of an agreement, the meter ends with keys that are held and proven", () =>
  withTestCustody(
    async (custody) => {
      for (let commit = 1; commit < 8; commit += 1)
        for (const when of ["before", "after"] as const) {
          const meter = await enrolled(custody, commit * 2 + (when === "after" ? 1 : 0));
          custody.crashAt(commit, when);
          await rotated(custody, meter).catch((error: unknown) => {
            if (!(error instanceof Crash)) throw error;
          });
          custody.crashAt(undefined, when);
          await custody.restart();
          for (let round = 0; round < 6 && (await stateOf(custody, meter)).grade !== "agreed"; round += 1) {
            custody.now += 120_000;
            const planned = {
              meters: [titleOf(meter)],
              madeBefore: undefined,
              purposes: [],
              cause: "exposure",
              reason: "again",
            } as const;
            await custody.custody.service.planRotations(planned, OPERATOR);
            await carryTakeover(custody, meter);
          }
          assert.equal((await stateOf(custody, meter)).grade, "agreed", `${when} commit ${commit}`);
        }
    },
    undefined,
    { pki: { developmentTree: { utility: "stadtwerke", island: "mainland" } } },
  ));
