import assert from "node:assert/strict";
import { test } from "node:test";
import type { LostReason } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import { carryTakeover, HEAD_END, type TestCustody } from "../testing/test-custody.ts";
import {
  countersFrom,
  entriesOf,
  exposureOf,
  type Handheld,
  journal,
  lent,
  OPERATOR,
  reportOf,
  TITLES,
  titles,
  visit,
  withField,
} from "../testing/test-field.ts";
import type { TestMeter } from "../testing/test-meter.ts";

/** Another head-end with the same rights. */
const OTHER = { name: "head-end-2", role: "head-end" } as const;
const [first, second] = titles as [(typeof titles)[0], (typeof titles)[0]];

/** Lends both meters, has the first visited, and gives what a handheld would hand in. */
async function visited(custody: TestCustody, [meter]: readonly [TestMeter, TestMeter], handheld: Handheld) {
  const { lease, leased, counters } = await lent(custody, handheld, meter);
  await visit(meter, lease, counters);
  const { lease: id } = lease.terms;
  const handIn = (used: readonly object[], passed: readonly object[] = []) =>
    custody.custody.service.returnLease(
      { journal: journal(handheld, { lease: id, used, passed, acts: [{ meter: leased.meter, at: custody.now }] }) },
      OPERATOR,
    );
  return { lease, leased, counters, handIn };
}

const countOf = async (custody: TestCustody, title: string) =>
  (await reportOf(custody)).leases[0]?.meters.find(({ meter }) => meter === title)?.counted;
const rotationOf = async ({ custody }: TestCustody, meter: (typeof titles)[0]) => {
  const { states } = await custody.service.rotationStates(
    { meters: [meter], filter: "all", after: undefined },
    OPERATOR,
  );
  return states[0];
};
const compromisedOf = async ({ store }: TestCustody, title: string) =>
  (await store.load(title))?.keys.filter(({ state }) => state === "compromised").map(({ purpose }) => purpose);

test("a meter that has counted what the journal says is asked first, by anybody's client, before its keys change", () =>
  withField(async (custody, meters, handheld) => {
    const { leased, counters, handIn } = await visited(custody, meters, handheld);
    await handIn([{ meter: leased.meter, next: counters.next }]);
    assert.equal((await countOf(custody, TITLES[0]))?.outcome, "awaited");
    const reading = () => custody.custody.service.openSession({ meter: first, purpose: "read" }, HEAD_END);
    await assert.rejects(reading(), { code: "meter-lent", message: /what it has counted is asked for first/ });
    const next = await custody.custody.service.nextContact({ meter: first }, HEAD_END);
    assert.ok(next.kind === "connect");
    assert.deepEqual([next.clientSap, next.step], [16, "counter-hint"]);
    const { steps } = await carryTakeover(custody, meters[0]);
    assert.deepEqual(steps.slice(0, 3), ["counter-hint", "counter-hint", "current-keys-association"]);
    assert.deepEqual(await countOf(custody, TITLES[0]), {
      outcome: "agrees",
      sentence: "it shows what the journal says; it has answered no more than that",
    });
    await carryTakeover(custody, meters[1]);
    assert.equal(
      (await countOf(custody, TITLES[1]))?.outcome,
      "agrees",
      "one that was not visited has counted nothing",
    );
    const [lease] = (await reportOf(custody)).leases;
    assert.deepEqual([lease?.state, lease?.disputes], ["returned", []]);
    assert.equal((await entriesOf(custody, "lease-counter-read")).length, 2);
    assert.deepEqual(JSON.parse((await entriesOf(custody, "lease-returned"))[0]?.body ?? "{}").visits.length, 1);
    await reading();
  }));

test("a meter that has taken fewer counters than the journal says does no harm", () =>
  withField(async (custody, meters, handheld) => {
    const { leased, counters, handIn } = await visited(custody, meters, handheld);
    await handIn([{ meter: leased.meter, next: counters.next + 30 }]);
    await carryTakeover(custody, meters[0]);
    assert.equal((await countOf(custody, TITLES[0]))?.outcome, "passed-over");
    const [lease] = (await reportOf(custody)).leases;
    assert.equal(lease?.state, "returned");
  }));

test("a meter that has taken more than the journal says disputes its lease: its keys are compromised, and all of the lease go first", () =>
  withField(async (custody, meters, handheld) => {
    const { lease, leased, counters, handIn } = await visited(custody, meters, handheld);
    const honest = counters.next;
    // Somebody has a copy of what is on the handheld.
    await visit(meters[0], lease, countersFrom(honest));
    await handIn([{ meter: leased.meter, next: honest }]);
    assert.deepEqual((await rotationOf(custody, second))?.cause, "exposure");
    await carryTakeover(custody, meters[0]);
    const count = await countOf(custody, TITLES[0]);
    assert.equal(count?.outcome, "finding");
    assert.match(count?.sentence ?? "", /the journal ends at \d+; it has used \d+ counters of its own since/);
    const [state] = (await reportOf(custody)).leases;
    assert.equal(state?.state, "disputed");
    assert.match(state?.disputes[0] ?? "", new RegExp(`^${TITLES[0]}: it has taken counter`));
    assert.match(custody.custody.disputedLeases()[0] ?? "", /^Ada \(HH-7\), meter \w+: it has taken counter/);
    const [entry, ...others] = await entriesOf(custody, "lease-disputed");
    assert.deepEqual([entry?.meter, others.length], [TITLES[0], 0]);
    assert.deepEqual(await compromisedOf(custody, TITLES[0]), [0, 2]);
    assert.deepEqual(
      await compromisedOf(custody, TITLES[1]),
      [],
      "what one line says takes no trust from other meters",
    );
    const waiting = await rotationOf(custody, second);
    assert.deepEqual([waiting?.cause, (waiting?.risk ?? 0) >= 10_000], ["compromise", true]);
    const [technician] = await exposureOf(custody, { person: "whoever else has used them" });
    assert.match(technician?.why ?? "", /disputed: it has taken counter/);
    await custody.restart();
    assert.equal((await reportOf(custody)).leases[0]?.state, "disputed", "the ledger is what remembers");
    const planned = (await entriesOf(custody, "rotations-planned")).length;
    for (let round = 0; round < 3; round += 1) await custody.custody.sweep();
    assert.equal(
      (await entriesOf(custody, "rotations-planned")).length,
      planned,
      "what is planned is not planned again",
    );
    await carryTakeover(custody, meters[1]);
  }));

test("a counter that nobody here was ever given is a finding without any journal", () =>
  withField(async (custody, meters, handheld) => {
    const { leased } = await visited(custody, meters, handheld);
    meters[0].usedUpTo(leased.first + leased.count + 500);
    custody.now += 9 * 3_600_000;
    await custody.custody.sweep();
    await carryTakeover(custody, meters[0]);
    assert.match((await countOf(custody, TITLES[0]))?.sentence ?? "", /none above \d+ was ever given out here/);
    assert.equal((await reportOf(custody)).leases[0]?.state, "disputed");
  }));

test("a journal that comes when its meters have been asked is compared with what they showed", () =>
  withField(async (custody, meters, handheld) => {
    const { leased, counters, handIn } = await visited(custody, meters, handheld);
    custody.now += 9 * 3_600_000;
    await custody.custody.sweep();
    await carryTakeover(custody, meters[0]);
    assert.match(
      (await countOf(custody, TITLES[0]))?.sentence ?? "",
      /^no journal came; it has taken counters of the lease/,
    );
    assert.equal((await reportOf(custody)).leases[0]?.state, "expired");
    await handIn([{ meter: leased.meter, next: counters.next - 3 }]);
    assert.equal((await reportOf(custody)).leases[0]?.state, "disputed");
  }));

test("a handheld that found counters used of which it knew nothing says so, and its lease is disputed", () =>
  withField(async (custody, meters, handheld) => {
    const { lease, leased, counters, handIn } = await visited(custody, meters, handheld);
    const from = counters.next;
    await visit(meters[0], lease, counters);
    const passed = { meter: leased.meter, first: from, next: counters.next };
    await visit(meters[0], lease, counters);
    await handIn([{ meter: leased.meter, next: counters.next }], [passed]);
    const [state] = (await reportOf(custody)).leases;
    assert.match(state?.disputes[0] ?? "", /of which this handheld knew nothing/);
    assert.deepEqual(await compromisedOf(custody, TITLES[0]), [0, 2]);
    await carryTakeover(custody, meters[0]);
    assert.equal((await reportOf(custody)).leases[0]?.disputes.length, 1, "it is said once");
  }));

/** To anybody its line says that a meter has taken no more than the journal says, and to us nothing that it has. */
function liar(meter: TestMeter, honest: number): void {
  const used = meter.lowestCounter - 1;
  const real = meter.connect.bind(meter);
  meter.connect = (clientSap, serverSap) => {
    if (clientSap === 16) meter.usedUpTo(honest - 1);
    else if (meter.lowestCounter <= used) meter.usedUpTo(used);
    return real(clientSap, serverSap);
  };
}

for (const [why, visits, sentence] of [
  ["more", 1, /; it has used 6 counters of its own since that neither the journal nor anything heard here explains$/],
  [
    "more than a window tells apart",
    220,
    /; it has used 11\d\d counters of its own since, more than can be told apart: whether the journal and what was/,
  ],
] as const)
  test(`whoever speaks for a meter that was used ${why} than the journal says cannot make its own answers fewer`, () =>
    withField(async (custody, meters, handheld) => {
      const { lease, leased, counters, handIn } = await visited(custody, meters, handheld);
      const honest = counters.next;
      const others = countersFrom(honest);
      for (let round = 0; round < visits; round += 1) await visit(meters[0], lease, others);
      await handIn([{ meter: leased.meter, next: honest }]);
      liar(meters[0], honest);
      await carryTakeover(custody, meters[0]);
      const count = await countOf(custody, TITLES[0]);
      assert.equal(count?.outcome, "agrees");
      assert.match(count?.sentence ?? "", sentence);
      const [answered] = await entriesOf(custody, "lease-answers-counted");
      assert.ok(JSON.parse(answered?.body ?? "{}").sealed >= visits * 5);
    }));

for (const [why, visits, burnt] of [
  ["gave out and never sent", 1, 5],
  ["skipped to get above the others'", 60, 0],
] as const)
  test(`counters that we ${why} explain no answers of a meter`, () =>
    withField(async (custody, meters, handheld) => {
      const { lease, leased, counters, handIn } = await visited(custody, meters, handheld);
      const honest = counters.next;
      const others = countersFrom(honest);
      for (let round = 0; round < visits; round += 1) await visit(meters[0], lease, others);
      await handIn([{ meter: leased.meter, next: honest }]);
      const { service } = custody.custody;
      for (let round = 0; round < burnt; round += 1) {
        const { session } = await service.openSession({ meter: first, purpose: "configure" }, OTHER);
        await service.closeSession({ session, outcome: "completed" }, OTHER);
      }
      liar(meters[0], honest);
      await carryTakeover(custody, meters[0]);
      const [answered] = await entriesOf(custody, "lease-answers-counted");
      const { unheard, since } = JSON.parse(answered?.body ?? "{}") as { unheard: number; since: number };
      assert.ok(since > 0 && unheard >= visits * 5);
      const used = unheard - (honest - leased.first);
      assert.ok(
        (await countOf(custody, TITLES[0]))?.sentence.endsWith(
          `it has used ${used} counters of its own since that the journal does not explain; ${since} counters were given out or skipped here since, and as many may be answers to these, if they were sent`,
        ),
      );
    }));

for (const [why, reason, contacts] of [
  ["a meter that shows nobody its counter", undefined, 1],
  ["a meter whose line is lost three times when it is asked", "timed-out", 3],
] as const)
  test(`${why} changes its keys all the same, and that is said`, () =>
    withField(async (custody, meters, handheld) => {
      const { leased, counters, handIn } = await visited(custody, meters, handheld);
      await handIn([{ meter: leased.meter, next: counters.next }]);
      for (let round = 0; round < contacts; round += 1) {
        const next = await custody.custody.service.nextContact({ meter: first }, HEAD_END);
        assert.ok(next.kind === "connect" && next.clientSap === 16);
        const closed = await custody.custody.service.advanceContact(
          { contact: next.contact, event: eventOf(reason) },
          HEAD_END,
        );
        assert.equal(closed.kind, "close");
      }
      const { steps } = await carryTakeover(custody, meters[0]);
      assert.equal(steps[0], "current-keys-association");
      assert.equal((await countOf(custody, TITLES[0]))?.outcome, "untold");
      assert.equal((await reportOf(custody)).leases[0]?.state, "returned");
    }));

function eventOf(reason: LostReason | undefined) {
  // An exception-response: it associates with nobody who has no keys.
  if (reason === undefined) return { kind: "received", apdu: Uint8Array.of(0xd8, 0x01, 0x01) } as const;
  return { kind: "lost", reason } as const;
}

test("a reading does not wait for ever for a meter that nobody asks", () =>
  withField(async (custody, meters, handheld) => {
    const { leased, counters, handIn } = await visited(custody, meters, handheld);
    await handIn([{ meter: leased.meter, next: counters.next }]);
    custody.now += 900_000;
    const { apdu } = await custody.custody.service.openSession({ meter: first, purpose: "read" }, HEAD_END);
    assert.ok(apdu.length > 0);
    const line = meters[0].connect(1, 1);
    line.exchange(apdu);
    await carryTakeover(custody, meters[0]);
    assert.match((await countOf(custody, TITLES[0]))?.sentence ?? "", /others of ours have used counters above/);
  }));

test("another head-end does not end the contact that asks a meter, and takes its turn when nobody advances it", () =>
  withField(async (custody, meters, handheld) => {
    const { leased, counters, handIn } = await visited(custody, meters, handheld);
    await handIn([{ meter: leased.meter, next: counters.next }]);
    const { service } = custody.custody;
    const idle = await service.nextContact({ meter: first }, OTHER);
    assert.ok(idle.kind === "connect");
    const waiting = await service.nextContact({ meter: first }, HEAD_END);
    assert.ok(waiting.kind === "wait" && waiting.milliseconds > 0);
    custody.now += 120_000;
    let mine = await service.nextContact({ meter: first }, HEAD_END);
    assert.ok(mine.kind === "connect");
    // The one it had is gone, and its own next one takes the place of the last.
    await assert.rejects(
      service.advanceContact({ contact: idle.contact, event: { kind: "lost", reason: "closed" } }, OTHER),
      { code: "contact-unknown" },
    );
    mine = await service.nextContact({ meter: first }, HEAD_END);
    assert.ok(mine.kind === "connect" && mine.step === "counter-hint");
    const line = meters[0].connect(mine.clientSap, mine.serverSap);
    let { apdu } = mine;
    for (;;) {
      assert.equal((await service.nextContact({ meter: first }, OTHER)).kind, "wait");
      const event = { kind: "received", apdu: line.exchange(apdu) as Uint8Array } as const;
      const advance = await service.advanceContact({ contact: mine.contact, event }, HEAD_END);
      if (advance.kind === "close") break;
      ({ apdu } = advance);
    }
    assert.equal((await countOf(custody, TITLES[0]))?.outcome, "agrees");
    const next = await service.nextContact({ meter: first }, OTHER);
    assert.ok(next.kind === "connect" && next.step === "current-keys-association");
  }));

/** Says that a meter is not there, without having looked. */
async function deny({ custody }: TestCustody): Promise<void> {
  const next = await custody.service.nextContact({ meter: first }, OTHER);
  assert.ok(next.kind === "connect" && next.step === "counter-hint");
  const event = { kind: "lost", reason: "unreachable" } as const;
  assert.equal((await custody.service.advanceContact({ contact: next.contact, event }, OTHER)).kind, "close");
}

test("a meter that one head-end says is not there is due for the others all the same, and rests for that one", () =>
  withField(async (custody, meters, handheld) => {
    const { leased, counters, handIn } = await visited(custody, meters, handheld);
    await handIn([{ meter: leased.meter, next: counters.next }]);
    const isDueFor = async (who: typeof OTHER | typeof HEAD_END) =>
      (await custody.custody.service.contactsDue({ limit: 9 }, who)).meters.map(systemTitleText).includes(TITLES[0]);
    for (let round = 0; round < 8; round += 1) await deny(custody);
    assert.equal(await isDueFor(OTHER), false);
    assert.equal(await isDueFor(HEAD_END), true);
    custody.now += 3_600_000;
    assert.equal(await isDueFor(OTHER), true);
    await carryTakeover(custody, meters[0]);
    assert.equal((await countOf(custody, TITLES[0]))?.outcome, "agrees");
  }));

test("no head-end keeps a meter from its new keys by saying for hours that it is not there, or by never ending a contact", () =>
  withField(async (custody, meters, handheld) => {
    const { leased, counters, handIn } = await visited(custody, meters, handheld);
    await handIn([{ meter: leased.meter, next: counters.next }]);
    const { service } = custody.custody;
    for (let round = 0; round < 3; round += 1) await deny(custody);
    for (let hour = 0; hour < 6; hour += 1) {
      assert.equal((await countOf(custody, TITLES[0]))?.outcome, "awaited");
      const held = await service.nextContact({ meter: first }, OTHER);
      assert.ok(held.kind === "connect" && held.step === "counter-hint");
      custody.now += 3_600_000;
      await custody.custody.sweep();
    }
    const next = await service.nextContact({ meter: first }, HEAD_END);
    assert.ok(next.kind === "connect" && next.step === "current-keys-association");
    assert.equal((await countOf(custody, TITLES[0]))?.outcome, "untold");
  }));
