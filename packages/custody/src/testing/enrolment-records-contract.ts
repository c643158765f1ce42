import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_ENROLMENT_POLICY } from "../enrolment/policy.ts";
import { CustodyError } from "../errors.ts";
import { type MeterRecord, PURPOSE, type SetupPlace, type StoredTakeover } from "../store/records.ts";
import type { CustodyStore, EnrolmentPlanning, Write } from "../store/store.ts";
import { sampleMeter } from "./samples.ts";

const conflict = (error: unknown) => error instanceof CustodyError && error.code === "custody-write-conflict";
const MADE = 1_795_000_000_000;
const DAY = 86_400_000;
const PROFILES = ["with-certificates"];

const plan = (change: Partial<EnrolmentPlanning> = {}): EnrolmentPlanning => ({
  meters: [],
  cause: "first",
  profiles: PROFILES,
  enrolledBefore: undefined,
  endingBefore: undefined,
  risk: 0,
  plannedBy: "policy",
  at: MADE + DAY,
  limit: 100,
  ...change,
});

async function addMeter(store: CustodyStore, number: number, change: Partial<MeterRecord> = {}, isProven = true) {
  const sample = sampleMeter(number);
  const meter = { ...sample.meter, profile: "with-certificates", securitySuite: 1, ...change };
  await store.commit([{ kind: "add-meter", ...sample, meter }]);
  const { utility, island, systemTitle } = meter;
  const place: SetupPlace = { utility, island, systemTitle, setup: 0 };
  const proven = { kind: "set-key-state", place, purpose: PURPOSE.KEK, version: 1, state: "active", at: MADE } as const;
  if (isProven) await store.commit([{ ...proven, provenAt: MADE }]);
  return place;
}

const mark = (
  place: SetupPlace,
  change: Partial<Extract<Write, { kind: "mark-enrolment" }>> = {},
): Extract<Write, { kind: "mark-enrolment" }> => ({
  kind: "mark-enrolment",
  place,
  enrolment: 1,
  begunAt: MADE + DAY,
  endedAt: undefined,
  outcome: undefined,
  expiresAt: undefined,
  ...change,
});

/** What every adapter keeps to of enrolments. */
export function enrolmentRecordsContract(
  name: string,
  withStore: (body: (store: CustodyStore) => Promise<void>) => Promise<void>,
): void {
  const contract = (sentence: string, body: (store: CustodyStore) => Promise<void>) =>
    test(`${name}: ${sentence}`, () => withStore(body));

  contract("first enrolments are planned once, for meters with key pairs whose master is proven", async (store) => {
    const one = await addMeter(store, 1);
    await addMeter(store, 2, {}, false);
    await addMeter(store, 3, { securitySuite: 0 });
    await addMeter(store, 4, { profile: "without" });
    assert.equal(await store.enrolments.plan(plan()), 1);
    assert.equal(await store.enrolments.plan(plan()), 0);
    assert.deepEqual(await store.enrolments.due(10, 10, []), [
      { systemTitle: one.systemTitle, begun: false, isUrgent: false },
    ]);
    const planned = (await store.load(one.systemTitle))?.enrolment;
    assert.deepEqual([planned?.enrolment, planned?.cause, planned?.plannedBy], [1, "first", "policy"]);
    const counts = await store.enrolments.counts(PROFILES);
    assert.deepEqual(counts, { capable: 2, planned: 1, underWay: 0, enrolled: 0, failed: 0 });
    assert.equal((await store.enrolments.titles(PROFILES, undefined, 10)).length, 2);
  });

  contract("an enrolment begins and ends once; another may follow, of old ones those that renew", async (store) => {
    const one = await addMeter(store, 1);
    const two = await addMeter(store, 2);
    await store.enrolments.plan(plan());
    await store.commit([mark(one), mark(two)]);
    const [due, ...more] = await store.enrolments.due(1, 9, [one.systemTitle]);
    assert.deepEqual([due?.systemTitle, more], [two.systemTitle, []], "what rests takes no room");
    await store.commit([mark(one, { endedAt: MADE + 2 * DAY, outcome: "enrolled" })]);
    await store.commit([mark(two, { endedAt: MADE + 2 * DAY, outcome: "enrolled", expiresAt: MADE + 900 * DAY })]);
    await assert.rejects(store.commit([mark(one)]), conflict);
    const renewal = { cause: "renewal", at: MADE + 800 * DAY } as const;
    assert.equal(await store.enrolments.plan(plan({ ...renewal, enrolledBefore: MADE + DAY })), 0);
    assert.equal(await store.enrolments.plan(plan({ ...renewal, endingBefore: MADE + 1000 * DAY })), 1);
    assert.equal((await store.load(two.systemTitle))?.enrolment?.enrolment, 2);
    assert.equal(await store.enrolments.plan(plan({ ...renewal, enrolledBefore: MADE + 3 * DAY })), 1);
    assert.equal(await store.enrolments.plan(plan({ cause: "demand", meters: [one.systemTitle] })), 0);
  });

  contract("the journals of keys and of certificates go on side by side", async (store) => {
    const place = await addMeter(store, 1);
    const journal = (change: Partial<StoredTakeover> = {}): Write => ({
      kind: "put-takeover",
      takeover: {
        ...place,
        takeover: 1,
        revision: 1,
        journal: "{}",
        openedAt: MADE,
        closedAt: undefined,
        mac: new Uint8Array(32),
        ...change,
      },
    });
    const subject = "certificates" as const;
    await store.commit([journal(), journal({ subject })]);
    await store.commit([journal({ subject, revision: 2, journal: '{"a":1}' })]);
    await assert.rejects(store.commit([journal({ subject, takeover: 2 })]), conflict);
    const file = await store.load(place.systemTitle);
    assert.deepEqual([file?.takeovers.length, file?.takeovers[0]?.revision], [1, 1]);
    assert.deepEqual([file?.enrolments[0]?.revision, file?.enrolments[0]?.subject], [2, subject]);
  });

  contract("the policy is kept", async (store) => {
    assert.equal(await store.enrolments.policy(), undefined);
    await store.enrolments.setPolicy(DEFAULT_ENROLMENT_POLICY);
    await store.enrolments.setPolicy({ ...DEFAULT_ENROLMENT_POLICY, perDay: 7 });
    assert.deepEqual(await store.enrolments.policy(), { ...DEFAULT_ENROLMENT_POLICY, perDay: 7 });
  });
}
