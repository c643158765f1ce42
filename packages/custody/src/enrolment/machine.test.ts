import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  AUTHORITY_FAULTS,
  BEFORE,
  CHAIN,
  ENROLMENT_FAULTS,
  type EnrolmentFault,
  type MeterCharacter,
  runEnrolment,
} from "../testing/enrolment-world.ts";
import { FAST } from "../testing/takeover-world.ts";
import { ENROLLED_USES, newEnrolment } from "./journal.ts";
import { step } from "./machine.ts";

const enrolled = (run: ReturnType<typeof runEnrolment>) => {
  assert.equal(run.journal.verdict, "enrolled");
  assert.ok(run.journal.proven);
  for (const use of ENROLLED_USES) {
    const held = run.meter.held.find((one) => one.use === use);
    assert.deepEqual(
      run.journal.believed[use].map(({ id }) => id),
      [held?.id],
    );
  }
  assert.equal(run.meter.held.length, 7);
};

describe("an enrolment where nothing goes wrong", () => {
  test("takes two contacts, one for the certificates and one for the proof, and certifies each key once", () => {
    const run = runEnrolment("honest", []);
    enrolled(run);
    assert.equal(run.contacts, 3);
    assert.deepEqual([...run.issued.values()], [1, 1, 1]);
  });

  test("renews all three pairs, and retires the certificates before when the new keys are proven", () => {
    const run = runEnrolment("honest", [], { renewing: true });
    enrolled(run);
    assert.deepEqual([...run.retired].sort(), BEFORE.map(({ id }) => id).sort());
  });

  test("removes what is foreign", () => {
    const run = runEnrolment("holds-foreign", []);
    enrolled(run);
    assert.ok(run.journal.steps.some(({ step: name }) => name === "remove-certificate"));
  });
});

test("a meter that speaks no TLS is enrolled without a pair for it, and one that had such a pair is not", () => {
  const run = runEnrolment("makes-no-tls-pair", []);
  assert.equal(run.journal.verdict, "enrolled");
  assert.deepEqual(
    run.journal.slots.map(({ stage }) => stage),
    ["held", "held", "absent"],
  );
  assert.deepEqual(run.journal.believed.tls, []);
  const again = runEnrolment("makes-no-tls-pair", [], { renewing: true });
  assert.equal(again.journal.verdict, "refuses");
  assert.equal(again.retired.size, 0);
});

describe("a meter that misbehaves is found out", () => {
  const verdicts: Partial<Record<MeterCharacter, string>> = {
    "has-no-anchor": "anchor-missing",
    "has-another-anchor": "anchor-differs",
    "requests-for-another": "refuses",
    "keeps-no-certificate": "keeps-no-certificate",
    "makes-no-pair": "refuses",
    "takes-nothing": "refuses",
    "signs-with-another": "identity-unproven",
    "keeps-foreign": "keeps-foreign",
  };
  for (const [character, verdict] of Object.entries(verdicts))
    test(`${character}: ${verdict}`, () => {
      const run = runEnrolment(character as MeterCharacter, []);
      assert.equal(run.journal.verdict, verdict);
      assert.equal(run.journal.proven, verdict === "keeps-foreign");
    });

  test("exports-former, in a renewal: keeps-no-certificate, and both identities stay believed", () => {
    const run = runEnrolment("exports-former", [], { renewing: true });
    assert.equal(run.journal.verdict, "keeps-no-certificate");
    assert.equal(run.journal.believed.digitalSignature.length, 2);
    assert.equal(run.retired.size, 0);
  });
});

describe("whatever gets lost, whoever dies", () => {
  const { exchanges } = runEnrolment("honest", []);

  for (const renewing of [false, true])
    test(`at every exchange of ${renewing ? "a renewal" : "an enrolment"}, and at every two of them, it ends enrolled`, () => {
      const kinds = ENROLMENT_FAULTS.filter((fault) => fault !== "none");
      const at = (places: readonly (readonly [number, EnrolmentFault])[]) => {
        const faults = Array<EnrolmentFault>(exchanges + 40).fill("none");
        for (const [place, fault] of places) faults[place] = fault;
        return faults;
      };
      for (let one = 0; one < exchanges; one += 1)
        for (const fault of kinds) {
          enrolled(runEnrolment("honest", at([[one, fault]]), { renewing }));
          for (let other = one + 1; other < one + 12; other += 1)
            for (const second of ["answer-lost", "crash-before-answer-commit"] as const)
              enrolled(
                runEnrolment(
                  "holds-foreign",
                  at([
                    [one, fault],
                    [other, second],
                  ]),
                  { renewing },
                ),
              );
        }
    });

  test("while a certificate is issued, no key is certified twice", () => {
    for (const first of AUTHORITY_FAULTS)
      for (const second of AUTHORITY_FAULTS)
        for (let place = 0; place < exchanges; place += 1) {
          const faults = Array<EnrolmentFault>(exchanges).fill("none");
          faults[place] = "crash-before-answer-commit";
          enrolled(runEnrolment("honest", faults, { authority: [first, second, "none", first] }));
        }
  });

  test("under any schedule of faults, what a meter uses is believed and nothing is certified twice", () => {
    const character = fc.constantFrom<MeterCharacter>(
      "honest",
      "holds-foreign",
      "exports-former",
      "keeps-no-certificate",
    );
    fc.assert(
      fc.property(
        character,
        fc.array(fc.constantFrom(...ENROLMENT_FAULTS), { maxLength: 60 }),
        fc.array(fc.constantFrom(...AUTHORITY_FAULTS), { maxLength: 6 }),
        fc.boolean(),
        (who, faults, authority, renewing) => {
          const { journal } = runEnrolment(who, faults, { renewing, authority });
          if (who === "honest" || who === "holds-foreign") assert.equal(journal.verdict, "enrolled");
        },
      ),
      { numRuns: 3000 },
    );
  });
});

test("a chain that has changed is put on the meter anew, and its own pairs are compared, not renewed", () => {
  const { journal } = runEnrolment("honest", []);
  const again = newEnrolment(1, { cause: "authorities", renewing: [] }, journal);
  assert.deepEqual(
    again.slots.map(({ stage }) => stage),
    ["importing", "importing", "importing"],
  );
  const rules = { chain: { ...CHAIN, id: "chain-2" }, pace: FAST };
  const [asked] = step(
    { ...again, chain: CHAIN.id, anchor: "verified" },
    { kind: "contact-asked", at: 0, carrier: "head-end" },
    rules,
  );
  assert.equal(asked.anchor, "unchecked");
  assert.ok(Object.values(asked.items).every(({ state }) => state === "missing"));
});

test("an authority that cannot certify now is asked again later; one that will not ends it", () => {
  const journal = newEnrolment(1, { cause: "first", renewing: [] });
  const rules = { chain: CHAIN, pace: FAST };
  const contact = {
    carrier: "head-end",
    stage: "certifying",
    step: "certificate-request",
    listed: true,
    acknowledged: false,
    about: "digitalSignature",
  } as const;
  const slots = [
    { use: "digitalSignature", stage: "requested", key: "k", rounds: 0 },
    ...journal.slots.slice(1),
  ] as const;
  const waiting = { ...journal, slots, contact };
  const [later, release] = step(waiting, { kind: "not-certified", at: 5, detail: "busy", isFinal: false }, rules);
  assert.equal(release?.kind, "release");
  assert.equal(later.verdict, "pending");
  assert.equal(later.slots[0]?.stage, "requested");
  assert.deepEqual(step(later, { kind: "released", at: 6 }, rules)[1]?.kind, "close");
  const [over] = step(waiting, { kind: "not-certified", at: 5, detail: "not assigned", isFinal: true }, rules);
  assert.equal(over.verdict, "not-certified");
});
