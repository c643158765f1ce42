import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FAULTS, run } from "../testing/takeover-world.ts";

test("a takeover gives the device at a channel a key of ours, then the meter, and says that nothing proves it", () => {
  const { journal, meter } = run("honest", [], { child: true });
  assert.equal(journal.verdict, "proven");
  assert.deepEqual(meter.child, { device: 1, meter: 1 });
  const steps = journal.steps.filter(({ step }) => step === "change-child-key").map(({ detail }) => detail);
  assert.deepEqual(steps, ["channel 1: transfer_key: success", "channel 1: set_encryption_key: success"]);
  assert.match(journal.children?.[0]?.unproven ?? "", /no answer of theirs proves it/);
});

test("a rotation of the unicast key takes children along, those that came since included; one of the master does not", () => {
  const rotated = run("honest", [], { child: true, rotating: [0, 1, 2] });
  assert.deepEqual(rotated.meter.child, { device: 1, meter: 1 });
  const master = run("honest", [], { child: true, rotating: [3] });
  assert.deepEqual(master.meter.child, { device: 0, meter: 0 });
});

test("a meter that refuses keys for its device keeps its own new keys, and what is open is said", () => {
  const { journal } = run("refuses-child-keys", [], { child: true });
  assert.equal(journal.verdict, "proven");
  assert.match(journal.children?.[0]?.unproven ?? "", /refuses transfer_key/);
});

test("every fault at every step ends with one key on device and meter, or with the doubt said", () => {
  const steps = run("honest", [], { child: true }).journal.steps.length;
  for (const fault of FAULTS)
    for (let at = 0; at < steps * 3; at += 1) {
      const faults = [...Array.from({ length: at }, () => "none" as const), fault];
      const { journal, meter } = run("honest", faults, { child: true });
      assert.equal(journal.verdict, "proven", `${fault} at ${at}`);
      const [child] = journal.children ?? [];
      assert.equal(child?.state, "settled");
      // What was only said to be done is the meter's lie, and no journal's mistake.
      if (fault !== "meter-crash-after-ack")
        assert.equal(meter.child.device, meter.child.meter, `${fault} at ${at}: ${JSON.stringify(meter.child)}`);
    }
});

test("under any schedule of faults no key of a child is forgotten or handed over twice, and its meter's own are proven", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...FAULTS), { maxLength: 14 }), fc.boolean(), (faults, isRotation) => {
      const { journal } = run("honest", faults, { child: true, ...(isRotation ? { rotating: [0, 2] } : {}) });
      if (journal.verdict === "proven") assert.equal(journal.children?.[0]?.state, "settled");
    }),
    { numRuns: 300 },
  );
});
