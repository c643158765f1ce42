import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PURPOSE } from "../store/records.ts";
import { FAST, FAULTS, type Fault, run } from "../testing/takeover-world.ts";
import { candidates, FIELD_PACE, nextCandidate } from "./candidates.ts";
import { newJournal } from "./journal.ts";
import { step } from "./machine.ts";

const passed = ({ journal }: ReturnType<typeof run>) =>
  journal.steps.filter(({ outcome }) => outcome === "passed").map((done) => done.step);

const LADDER = [
  "factory-association",
  "identity-check",
  "transfer-working-keys",
  "working-keys-association",
  "transfer-master",
  "prove-master",
  "refuse-old-master",
  "find-clients",
  "refuse-factory-keys",
  "done",
];

test("an honest meter is taken over in three contacts, every key proven", () => {
  const done = run("honest", []);
  assert.equal(done.journal.verdict, "proven");
  assert.deepEqual(passed(done), LADDER);
  assert.deepEqual(done.meter.keys, { 0: 2, 1: 3, 2: 2, 3: 2 });
  assert.equal(done.contacts, 4, "the fourth is told that nothing is to be done");
  assert.deepEqual(done.journal.proven, { working: true, master: true, oldMasterDead: true, oldDead: true });
});

test("a meter that takes one key at a time is taken over key by key, each proven by an association", () => {
  const done = run("honest", [], { arrays: false });
  assert.equal(done.journal.verdict, "proven");
  assert.equal(passed(done).filter((name) => name === "transfer-working-keys").length, 3);
});

test("keys that travelled through the head-end are exposed, through the depot alone they are not", () => {
  assert.equal(run("honest", []).journal.exposed, true);
  assert.equal(run("honest", [], { carrier: "depot" }).journal.exposed, false);
});

test("a meter that acknowledges new keys and keeps its own is caught", () => {
  assert.equal(run("keeps-all-keys", []).journal.verdict, "keeps-factory-keys");
});

test("a meter that changes all but its master key is caught", () => {
  const { journal } = run("keeps-master", []);
  assert.equal(journal.verdict, "keeps-master-key");
  assert.deepEqual(journal.belief[PURPOSE.KEK], [1]);
});

test("a meter that opens with factory keys beside the new ones is caught", () => {
  assert.equal(run("opens-with-both", []).journal.verdict, "keeps-factory-keys");
});

test("a meter that takes transfers under the old master beside the new one is caught", () => {
  assert.equal(run("takes-both-masters", []).journal.verdict, "keeps-master-key");
});

test("a meter that applies a part of what it acknowledges ends with what it holds known", () => {
  const done = run("applies-half", []);
  assert.ok(["proven", "keeps-factory-keys"].includes(done.journal.verdict));
  assert.equal(done.journal.belief[PURPOSE.GUEK][0], done.meter.keys[PURPOSE.GUEK]);
});

test("a meter that applies keys long after it said so is found again", () => {
  const done = run("applies-late", []);
  assert.notEqual(done.journal.verdict, "unknown");
  assert.equal(done.journal.belief[PURPOSE.GUEK][0], done.meter.keys[PURPOSE.GUEK]);
});

test("a meter that refuses new keys, or a new master, is not pressed", () => {
  assert.equal(run("refuses-transfers", []).journal.verdict, "refuses-key-change");
  assert.equal(run("refuses-master", []).journal.verdict, "refuses-key-change");
});

test("a meter that is not the one in the shipment keeps its keys to itself", () => {
  const done = run("is-another", []);
  assert.equal(done.journal.verdict, "identity-differs");
  assert.deepEqual(done.meter.keys, { 0: 1, 1: 1, 2: 1, 3: 1 });
});

test("a meter that refuses our counter is asked for its own and tried again at once", () => {
  const done = run("honest", [], { wrongCounter: true });
  assert.equal(done.journal.verdict, "proven");
  assert.deepEqual(
    done.journal.steps.slice(0, 3).map((each) => `${each.step} ${each.outcome}`),
    ["factory-association refused", "counter-hint passed", "factory-association passed"],
  );
});

test("a refusal that names a counter is no proof that the factory keys are dead", () => {
  const proven = { working: true, master: true, oldMasterDead: true, oldDead: false };
  const belief = { 0: [2], 1: [3], 2: [2], 3: [2] };
  const rules = {
    pace: FAST,
    arrays: true,
    secrets: [],
    children: [],
    policy: undefined,
    agreement: false,
    further: [],
    hasFurther: false,
  };
  const [asked] = step(
    { ...newJournal(), identity: "matched", proven, belief },
    { kind: "contact-asked", at: 1, carrier: "head-end" },
    rules,
  );
  assert.equal(asked.contact?.stage, "refusing-old");
  const [refused] = step(
    asked,
    { kind: "association-refused", at: 2, detail: "counter", expectedCounter: 7000 },
    rules,
  );
  assert.equal(refused.proven.oldDead, false);
  const [dead] = step(asked, { kind: "association-refused", at: 2, detail: "authentication failure" }, rules);
  assert.equal(dead.proven.oldDead, true);
});

test("silence on factory keys counts only after the new keys got an answer", () => {
  const none: Fault[] = Array.from({ length: 9 }, () => "none");
  const done = run("honest", [...none, "request-lost"]);
  const last = done.journal.steps.slice(-3).map((each) => `${each.step} ${each.outcome}`);
  assert.equal(done.journal.verdict, "proven");
  assert.deepEqual(last, ["refuse-factory-keys passed", "refuse-factory-keys passed", "done passed"]);
  assert.ok(done.journal.steps.some((each) => each.step === "refuse-factory-keys" && each.outcome === "lost"));
});

test("every fault at every exchange leaves the meter open to us, and it is taken over in the end", () => {
  for (const arrays of [true, false])
    for (const fault of FAULTS)
      for (let place = 0; place < 20; place += 1) {
        const before: Fault[] = Array.from({ length: place }, () => "none");
        const done = run("honest", [...before, fault], { arrays });
        assert.equal(done.journal.verdict, "proven", `${fault} at exchange ${place}`);
        for (const purpose of [0, 2, 3] as const)
          assert.deepEqual(
            done.journal.belief[purpose],
            [done.meter.keys[purpose]],
            `${fault} at ${place}, key ${purpose}`,
          );
      }
});

test("two faults at any two exchanges do no more harm than one", () => {
  for (const first of FAULTS)
    for (const second of FAULTS)
      for (let place = 0; place < 12; place += 2) {
        const gap: Fault[] = Array.from({ length: 3 }, () => "none");
        const schedule: Fault[] = [...Array.from({ length: place }, (): Fault => "none"), first, ...gap, second];
        const { verdict } = run("honest", schedule).journal;
        // Twice said and twice forgotten is not told apart from a lie.
        const unlucky = first === "meter-crash-after-ack" && second === first;
        assert.ok(
          verdict === "proven" || (unlucky && verdict !== "unknown"),
          `${first}, ${second} at ${place}: ${verdict}`,
        );
      }
});

test("under any schedule of faults no meter is stranded and no key that may be on it is forgotten", () => {
  const fault = fc.constantFrom(...FAULTS.filter((name) => name !== "meter-crash-after-ack"));
  fc.assert(
    fc.property(fc.array(fault, { maxLength: 60 }), fc.boolean(), (schedule, arrays) => {
      const done = run("honest", schedule, { arrays });
      assert.equal(done.journal.verdict, "proven");
      assert.ok(done.closestTries >= FAST.anyKeysMilliseconds, `${done.closestTries} ms between tries`);
    }),
    { numRuns: 400 },
  );
});

test("liars are caught under any schedule of faults", () => {
  const fault = fc.constantFrom(...FAULTS.filter((name) => name !== "meter-crash-after-ack"));
  const liar = fc.constantFrom("keeps-all-keys", "keeps-master", "opens-with-both", "takes-both-masters" as const);
  fc.assert(
    fc.property(liar, fc.array(fault, { maxLength: 40 }), fc.boolean(), (character, schedule, arrays) => {
      const { verdict } = run(character, schedule, { arrays }).journal;
      assert.match(verdict, /^keeps-(factory-keys|master-key)$/);
    }),
    { numRuns: 300 },
  );
});

const changed = [
  "raise-policy passed",
  "raise-policy passed",
  "find-clients passed",
  "change-secret passed",
  "change-secret passed",
  "refuse-factory-keys passed",
  "prove-secret passed",
  "refuse-old-secret passed",
  "prove-secret passed",
  "refuse-old-secret passed",
  "done passed",
];

test("after the keys the policy is raised and every client's secret replaced, each proven by its client and the old one refused", () => {
  const { journal, meter } = run("honest", [], { secrets: "known" });
  assert.equal(journal.verdict, "proven");
  const since = journal.steps.findIndex(({ step: name }) => name === "raise-policy");
  assert.equal(journal.steps[since - 1]?.step, "refuse-old-master");
  assert.deepEqual(
    journal.steps.slice(since).map(({ step: name, outcome }) => `${name} ${outcome}`),
    changed,
  );
  assert.equal(meter.policy, 0x6c);
  assert.deepEqual([...meter.secrets.values()], [2, 2]);
  assert.ok(journal.secrets?.every(({ state, unproven }) => state === "settled" && unproven === undefined));
});

test("a secret that nobody told us is replaced, and its death is left unproven", () => {
  const { journal, meter } = run("honest", [], { secrets: "untold" });
  assert.equal(journal.verdict, "proven");
  assert.deepEqual([...meter.secrets.values()], [2, 2]);
  assert.ok(journal.secrets?.every(({ unproven }) => /nobody told us the old one/.test(unproven ?? "")));
  const refusals = journal.steps.filter(({ step: name }) => name === "refuse-old-secret");
  assert.deepEqual(
    refusals.map(({ outcome }) => outcome),
    ["unproven", "unproven"],
  );
});

test("liars about secrets and policy are caught, and what is not proven is said; the keys are proven all the same", () => {
  const why = (character: Parameters<typeof run>[0]) => {
    const { journal } = run(character, [], { secrets: "known" });
    assert.equal(journal.verdict, "proven", character);
    return [journal.policy?.unproven, ...(journal.secrets ?? []).map(({ unproven }) => unproven)].join("; ");
  };
  assert.match(why("keeps-secrets"), /it said that it took it, and does not open with it/);
  assert.match(why("keeps-old-secrets"), /it still opens with the old one/);
  assert.match(why("refuses-secrets"), /it refuses another one/);
  assert.match(why("keeps-policy"), /it stays at 0x00/);
});

test("clients that only the meter knows of get secrets of ours, under every fault at every exchange", () => {
  for (const fault of FAULTS)
    for (let place = 0; place < 40; place += 1) {
      const before: Fault[] = Array.from({ length: place }, () => "none");
      const { journal, meter } = run("honest", [...before, fault], { secrets: "found" });
      assert.equal(journal.verdict, "proven", `${fault} at exchange ${place}`);
      assert.equal(meter.policy, 0x6c, "the policy is found by what the meter tells of it");
      assert.deepEqual(
        journal.secrets?.map(({ client, object, unproven }) => [client, object, unproven]),
        [
          [34, "0.0.40.0.34.255", undefined],
          [48, "0.0.40.0.48.255", undefined],
        ],
        `${fault} at exchange ${place}`,
      );
      for (const { client, belief } of journal.secrets ?? []) assert.equal(belief[0], meter.secrets.get(client));
    }
});

test("a meter that never tells of its clients is taken over all the same, and that is said", () => {
  const lost: Fault[] = Array.from({ length: 60 }, () => "none");
  const silent = run("tells-no-clients", lost);
  assert.equal(silent.journal.verdict, "proven");
  assert.match(silent.journal.search?.unproven ?? "", /gave no answer/);
});

test("every fault at every step of secrets and policy ends with the secret on the meter known, or said to be unproven", () => {
  for (const fault of FAULTS)
    for (let place = 0; place < 40; place += 1) {
      const before: Fault[] = Array.from({ length: place }, () => "none");
      const { journal, meter } = run("honest", [...before, fault], { secrets: "known" });
      assert.equal(journal.verdict, "proven", `${fault} at exchange ${place}`);
      assert.equal(journal.policy?.unproven, undefined, `${fault} at exchange ${place}`);
      assert.equal(meter.policy, 0x6c);
      for (const { client, belief, unproven } of journal.secrets ?? []) {
        assert.equal(unproven, undefined, `${fault} at exchange ${place}, client ${client}`);
        assert.equal(belief[0], meter.secrets.get(client));
      }
    }
});

test("under any schedule of faults no secret is forgotten, sent twice, or tried without end", () => {
  const fault = fc.constantFrom(...FAULTS);
  fc.assert(
    fc.property(fc.array(fault, { maxLength: 80 }), fc.boolean(), (schedule, told) => {
      const secrets = told ? "known" : "untold";
      const { journal, meter } = run("honest", schedule, { secrets });
      for (const { client, belief, unproven, state } of journal.secrets ?? []) {
        if (journal.verdict !== "proven") return;
        assert.equal(state, "settled");
        const version = meter.secrets.get(client) as number;
        assert.ok(belief.includes(version) || (!told && version === 1), `client ${client}: ${version} of ${belief}`);
        if (unproven === undefined) assert.deepEqual(belief, [version]);
      }
    }),
    { numRuns: 400 },
  );
});

test("candidates are both newest, both next, then the mixed ones", () => {
  const journal = { ...newJournal(), belief: { 0: [2, 1], 1: [2, 1], 2: [2, 1], 3: [1] } };
  assert.deepEqual(
    candidates(journal).map(({ GUEK, GAK }) => [GUEK, GAK]),
    [
      [2, 2],
      [1, 1],
      [2, 1],
      [1, 2],
    ],
  );
});

test("in the field the same keys are tried once an hour at most, any keys every twenty seconds", () => {
  const belief = { 0: [2, 1], 1: [2, 1], 2: [2, 1], 3: [1] };
  const journal = { ...newJournal(), belief, tries: [{ GUEK: 2, GAK: 2, at: 0 }] };
  assert.deepEqual(nextCandidate(journal, 5000, FIELD_PACE), { milliseconds: 15_000 });
  assert.deepEqual(nextCandidate(journal, 20_000, FIELD_PACE), { candidate: { GUEK: 1, GAK: 1 } });
  const all = [
    [2, 2],
    [1, 1],
    [2, 1],
    [1, 2],
  ].map(([GUEK, GAK], at) => ({ GUEK, GAK, at: at * 20_000 }) as never);
  assert.deepEqual(nextCandidate({ ...journal, tries: all }, 80_000, FIELD_PACE), { milliseconds: 3_520_000 });
});

test("after each third refusal in a row a meter gets a long pause: some lock up after a few", () => {
  const belief = { 0: [2, 1], 1: [2, 1], 2: [2, 1], 3: [1] };
  const tries = [{ GUEK: 2, GAK: 2, at: 0 }];
  const wait = (failures: number) => nextCandidate({ ...newJournal(), belief, tries, failures }, 20_000, FIELD_PACE);
  assert.deepEqual(wait(2), { candidate: { GUEK: 1, GAK: 1 } });
  assert.deepEqual(wait(3), { milliseconds: 880_000 });
});

test("no candidate keeps another from its turn, however short the spacing is", () => {
  const belief = { 0: [2, 1], 1: [2, 1], 2: [1], 3: [1] };
  const pace = { ...FAST, sameKeysMilliseconds: 1000, anyKeysMilliseconds: 1000 };
  const journal = { ...newJournal(), belief, tries: [{ GUEK: 2, GAK: 1, at: 0 }] };
  assert.deepEqual(nextCandidate(journal, 1000, pace), { candidate: { GUEK: 1, GAK: 1 } });
  const both = { ...journal, tries: [...journal.tries, { GUEK: 1, GAK: 1, at: 1000 }] };
  assert.deepEqual(nextCandidate(both, 2000, pace), { candidate: { GUEK: 2, GAK: 1 } });
});
