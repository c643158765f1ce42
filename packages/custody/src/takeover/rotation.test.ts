import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PURPOSE, type Purpose } from "../store/records.ts";
import { type FaultedRotation, rotationFaults, simulate } from "../testing/rotation-simulation.ts";
import { FAULTS, PREPARE_FAULTS, plannedRotation, run } from "../testing/takeover-world.ts";

const ALL: readonly Purpose[] = [0, 1, 2, 3];
/** Of all crossings; `npm run bench -- rotation` does them all. */
const ONE_IN = 9;

test("a rotation of all keys asks for every proof that a takeover does, but for who the meter is", () => {
  const done = run("honest", [], { rotating: ALL });
  assert.equal(done.journal.verdict, "proven");
  assert.deepEqual(
    done.journal.steps.map(({ step, outcome }) => `${step} ${outcome}`),
    [
      "current-keys-association passed",
      "transfer-working-keys passed",
      "working-keys-association passed",
      "transfer-master passed",
      "prove-master passed",
      "refuse-old-master passed",
      "refuse-old-keys passed",
      "done passed",
    ],
  );
  assert.deepEqual(done.meter.keys, { 0: 3, 1: 6, 2: 3, 3: 3 });
});

test("secrets of clients go with the unicast key they travelled under, each proven again; with others they stay", () => {
  const { journal, meter } = run("honest", [], { rotating: ALL, secrets: "known" });
  assert.equal(journal.verdict, "proven");
  assert.deepEqual([...meter.secrets.values()], [2, 2]);
  assert.ok(
    journal.secrets?.every(({ state, old, unproven }) => state === "settled" && old === 1 && unproven === undefined),
  );
  assert.equal(meter.policy, 0, "the policy was raised when it was taken over");
  const other = run("honest", [], { rotating: [PURPOSE.GAK, PURPOSE.KEK], secrets: "known" });
  assert.deepEqual([...other.meter.secrets.values()], [1, 1]);
});

test("what does not change is left alone: each subset of purposes changes those, and is proven as far as it can be", () => {
  for (let set = 1; set < 16; set += 1)
    for (const arrays of [true, false]) {
      const rotating = ALL.filter((purpose) => (set & (1 << purpose)) !== 0);
      const { journal, meter } = run("honest", [], { rotating, arrays });
      const before = plannedRotation(rotating).old;
      assert.equal(journal.verdict, "proven", `${rotating}`);
      for (const purpose of [0, 2, 3] as const)
        assert.equal(meter.keys[purpose] !== before[purpose], rotating.includes(purpose), `${rotating}: ${purpose}`);
      if (rotating.includes(1)) assert.notEqual(meter.keys[1], before[1]);
    }
});

test("the master key changes alone and last, proven by a transfer under it, the old one's death by refusal", () => {
  const { journal } = run("honest", [], { rotating: [PURPOSE.KEK] });
  assert.deepEqual(
    journal.steps.map(({ step }) => step),
    ["current-keys-association", "transfer-master", "prove-master", "refuse-old-master", "done"],
  );
});

test("meters that keep what they should change are caught in a rotation as they are in a takeover", () => {
  assert.equal(run("keeps-all-keys", [], { rotating: ALL }).journal.verdict, "keeps-factory-keys");
  assert.equal(run("keeps-master", [], { rotating: ALL }).journal.verdict, "keeps-master-key");
  assert.equal(run("opens-with-both", [], { rotating: ALL }).journal.verdict, "keeps-factory-keys");
  assert.equal(run("takes-both-masters", [], { rotating: [PURPOSE.KEK] }).journal.verdict, "keeps-master-key");
  assert.equal(run("refuses-transfers", [], { rotating: [PURPOSE.GAK] }).journal.verdict, "refuses-key-change");
});

test("what was made and not sent when we died is made anew: no key value is sent that somebody may have sent before", () => {
  for (const fault of PREPARE_FAULTS) {
    const done = run("honest", [], { rotating: ALL, preparing: [fault] });
    assert.equal(done.journal.verdict, "proven", fault);
    assert.equal(
      done.meter.keys[PURPOSE.GUEK],
      fault === "crash-before-escrow" || fault === "crash-after-escrow" ? 4 : 3,
    );
  }
});

test("a meter that was never asked for its security setups is asked in its next rotation, of whichever keys, once", () => {
  for (const rotating of [ALL, [PURPOSE.GBEK], [PURPOSE.KEK]]) {
    const { journal } = run("honest", [], { rotating, asksAnew: true });
    assert.equal(journal.verdict, "proven");
    assert.equal(journal.steps.filter(({ step }) => step === "find-clients").length, 1, `${rotating}`);
    assert.deepEqual(journal.search?.setups, []);
  }
  const silent = run("tells-no-clients", [], { rotating: ALL, asksAnew: true });
  assert.equal(silent.journal.verdict, "proven", "silence about setups holds no keys up");
  assert.deepEqual([silent.journal.search?.setups, typeof silent.journal.search?.unproven], [undefined, "string"]);
});

test("under any schedule of faults no rotation strands a meter or forgets a key", () => {
  const fault = fc.constantFrom(...FAULTS.filter((name) => name !== "meter-crash-after-ack"));
  const purposes = fc.integer({ min: 1, max: 15 });
  const preparing = fc.array(fc.constantFrom(...PREPARE_FAULTS), { maxLength: 8 });
  fc.assert(
    fc.property(
      fc.array(fault, { maxLength: 40 }),
      purposes,
      fc.boolean(),
      fc.boolean(),
      preparing,
      (faults, set, arrays, asksAnew, ours) => {
        const rotating = ALL.filter((purpose) => (set & (1 << purpose)) !== 0);
        const { journal } = run("honest", faults, { rotating, arrays, preparing: ours, asksAnew });
        assert.equal(journal.verdict, "proven");
      },
    ),
    { numRuns: 300 },
  );
});

test("every crash of ours with every crash of the meter, for one to four keys, in one security setup and in two: none stranded, none forgotten", () => {
  const slice = rotationFaults(ONE_IN);
  const { rotations, proven, struckTwice, stranded, forgotten } = simulate(slice);
  assert.ok(struckTwice > 10_000, `${struckTwice} of ${rotations} rotations were struck by both`);
  assert.ok(slice.some(({ setups }) => setups) && slice.some(({ setups }) => !setups));
  assert.deepEqual({ stranded, forgotten }, { stranded: [], forgotten: [] });
  assert.equal(proven, rotations);
});

test("in what is crossed here each crash of ours comes at each place, and each of the meter's, as in all crossings", () => {
  const crashes = (faulted: readonly FaultedRotation[]) =>
    new Set(
      faulted.flatMap(({ ours, meters, ...kind }) =>
        [ours, meters].map(({ fault, place }) => `${fault} at ${place}: ${JSON.stringify(kind)}`),
      ),
    );
  const all = crashes(rotationFaults());
  assert.ok(all.size > 3000, `${all.size}`);
  assert.deepEqual(crashes(rotationFaults(ONE_IN)), all);
});

test("a meter without a broadcast key changes the others; a fresh authentication key proves its master", () => {
  for (const arrays of [true, false])
    for (const rotating of [undefined, ALL, [PURPOSE.GBEK, PURPOSE.KEK]] as const) {
      const done = run("has-no-broadcast-key", [], { arrays, ...(rotating === undefined ? {} : { rotating }) });
      assert.equal(done.journal.verdict, "proven", `${rotating}`);
      assert.deepEqual(done.journal.belief[PURPOSE.KEK], [done.meter.keys[PURPOSE.KEK]]);
      assert.deepEqual(done.journal.belief[PURPOSE.GAK][0], done.meter.keys[PURPOSE.GAK]);
      assert.equal(done.journal.withoutBroadcast, true);
    }
  const only = run("has-no-broadcast-key", [], { rotating: [PURPOSE.GBEK] });
  assert.equal(only.journal.verdict, "refuses-key-change");
  const fault = fc.constantFrom(...FAULTS.filter((name) => name !== "meter-crash-after-ack"));
  fc.assert(
    fc.property(fc.array(fault, { maxLength: 40 }), fc.boolean(), (faults, arrays) => {
      const { journal, meter } = run("has-no-broadcast-key", faults, { rotating: ALL, arrays });
      assert.equal(journal.verdict, "proven");
      for (const purpose of [0, 2, 3] as const) assert.equal(journal.belief[purpose][0], meter.keys[purpose]);
    }),
    { numRuns: 200 },
  );
});
