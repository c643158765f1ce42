import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { decodeCertificate, makeRequestWith, type RevocationPlan } from "@meterkeep/pki";
import { CallRefusal } from "../calls/call-refusal.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { TestCertificates } from "../testing/test-certificates.ts";
import { caller, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const OPERATOR = caller("operator");
/** Commits of a contact that removes and of the proof after it. */
const COMMITS = 50;
const PLACE = { utility: "stadtwerke", island: "mainland" };

/** A meter under test. */
interface Subject {
  readonly meter: TestMeter;
  readonly certificates: TestCertificates;
}

const withPki = (body: (custody: TestCustody) => Promise<void>) =>
  withTestCustody(body, memoryCustodyStore(), { pki: { developmentTree: PLACE } });

const titleOf = ({ meter }: Subject) => systemTitle(fromHex(meter.systemTitle));

/** A meter of suite 1 that is enrolled. */
async function enrolled(custody: TestCustody, number: number): Promise<Subject> {
  const title = `545354${number.toString(16).toUpperCase().padStart(10, "0")}`;
  const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
  assert.ok(root);
  const certificates = new TestCertificates(fromHex(title), root.certificate);
  const meter = new TestMeter({ systemTitle: title, certificates });
  await custody.add(meter, { profile: "idis-p3", securitySuite: 1 });
  await carryTakeover(custody, meter);
  custody.now += 10_000;
  await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END);
  await carryTakeover(custody, meter);
  return { meter, certificates };
}

/** Whether a session opens; why not, where it is refused. */
async function opens(custody: TestCustody, subject: Subject): Promise<string> {
  const { service } = custody.custody;
  try {
    const opened = await service.openSession({ meter: titleOf(subject), purpose: "read" }, HEAD_END);
    const line = subject.meter.connect(opened.clientSap, opened.serverSap);
    for (let send: Uint8Array | undefined = opened.apdu; send !== undefined; ) {
      const received = line.exchange(send);
      if (received === undefined) return "silent";
      const advance = await service.advanceSession({ session: opened.session, received }, HEAD_END);
      if (advance.kind === "failed") return "failed";
      send = advance.kind === "send" ? advance.apdu : undefined;
    }
    await service.closeSession({ session: opened.session, outcome: "completed" }, HEAD_END);
    return "open";
  } catch (error) {
    if (error instanceof CallRefusal) return error.code;
    throw error;
  }
}

const planOf = async ({ custody }: TestCustody, id: string): Promise<RevocationPlan> => {
  const found = (await custody.pki.revocations.list()).find((plan) => plan.id === id);
  assert.ok(found);
  return found;
};

const standing = async (custody: TestCustody, id: string) => {
  const { stage, state, finished } = await planOf(custody, id);
  return { stage, state, finished };
};

const holds = ({ certificates }: Subject, serial: string) =>
  certificates.held.some((one) => toHex(one.serial) === serial);

/** Our own certificate as a client of the meters, for signatures. */
async function clientSerial({ custody }: TestCustody, subject: Subject) {
  const { registry } = custody.pki.store;
  for (const one of subject.certificates.held) {
    for (const { authority } of await custody.pki.authorities.all()) {
      const found = await registry.find(authority, toHex(one.serial));
      if (found?.profile === "dlms-suite-1-signature" && found.systemTitle !== subject.meter.systemTitle)
        return { authority, serial: found.serial };
    }
  }
  throw new Error("the meter holds no certificate of a client");
}

/** As far as the stage that removes, running. */
async function removing(custody: TestCustody, subject: { authority: string; serial?: string }): Promise<string> {
  const { pki } = custody.custody;
  const { id } = await pki.revocations.plan(subject, "keyCompromise", "person");
  await pki.revocations.move(id, "start", "person");
  await pki.tend();
  await pki.revocations.move(id, "next", "person");
  await custody.custody.sweep();
  return id;
}

describe("a certificate of our own as a client, revoked", () => {
  test("goes from every meter by a contact, another one takes its place, and the stage ends by itself", () =>
    withPki(async (custody) => {
      const subjects = [await enrolled(custody, 1), await enrolled(custody, 2)];
      const client = await clientSerial(custody, subjects[0] as Subject);
      const id = await removing(custody, client);
      for (const subject of subjects) {
        assert.ok(holds(subject, client.serial));
        await carryTakeover(custody, subject.meter);
        assert.ok(!holds(subject, client.serial), "the meter has lost it");
        assert.equal(subject.certificates.held.length, 8, "and has another one");
        assert.equal(await opens(custody, subject), "open");
      }
      await custody.custody.pki.tend();
      assert.deepEqual(await standing(custody, id), { stage: "remove", state: "done", finished: 3 });
      await assert.rejects(custody.custody.pki.revocations.move(id, "next", "person"), /cannot next/);
      const { removals } = await custody.custody.service.certificateRemovals({ after: undefined, limit: 9 }, OPERATOR);
      assert.deepEqual(removals, []);
    }));

  test("stays where the stage is stopped, until it is started again", () =>
    withPki(async (custody) => {
      const subject = await enrolled(custody, 1);
      const client = await clientSerial(custody, subject);
      const id = await removing(custody, client);
      await custody.custody.pki.revocations.move(id, "stop", "person");
      const next = await custody.custody.service.nextContact({ meter: titleOf(subject) }, HEAD_END);
      assert.equal(next.kind, "wait");
      assert.ok(holds(subject, client.serial));
      await custody.custody.pki.revocations.move(id, "start", "person");
      await carryTakeover(custody, subject.meter);
      assert.ok(!holds(subject, client.serial));
    }));

  test("goes from the meter whoever dies at any commit", () =>
    withPki(async (custody) => {
      const first = await enrolled(custody, 1);
      const subjects: Subject[] = [];
      for (let number = 2; number < 2 + COMMITS; number += 1) subjects.push(await enrolled(custody, number));
      const client = await clientSerial(custody, first);
      await removing(custody, client);
      custody.crashAt(undefined, "before");
      await carryTakeover(custody, first.meter);
      const { commits } = custody;
      assert.ok(commits <= COMMITS, `${commits} commits`);
      for (const [commit, subject] of subjects.entries()) {
        const when = commit % 2 === 0 ? "before" : "after";
        custody.crashAt(commit, when);
        await carryTakeover(custody, subject.meter);
        custody.crashAt(undefined, "before");
        assert.ok(!holds(subject, client.serial), `${when} commit ${commit}`);
        assert.equal(await opens(custody, subject), "open", `${when} commit ${commit}`);
      }
    }));
});

test("an authority that falls without a successor is removed from meters, which are refused until another enrols them", () =>
  withPki(async (custody) => {
    const subject = await enrolled(custody, 1);
    const { pki, service } = custody.custody;
    const fallen = await pki.issuerFor(PLACE, "P-256");
    const held = subject.certificates.held.length;
    const id = await removing(custody, { authority: fallen.authority });
    assert.equal(await opens(custody, subject), "identity-revoked");
    await carryTakeover(custody, subject.meter);
    // The authority, and two certificates of ours: what is above it stays, and the meter's own are refused by us.
    assert.equal(subject.certificates.held.length, held - 3);
    await pki.tend();
    assert.equal((await standing(custody, id)).state, "done");
    const [state] = (await service.enrolmentStates({ meters: [titleOf(subject)], after: undefined }, OPERATOR)).states;
    assert.match(state?.sentence ?? "", /No authority issues for it now/);
    assert.equal(await opens(custody, subject), "identity-revoked");
    const successor = { ...PLACE, name: "Successor", profile: "issuing-p256", parent: fallen.parent as string };
    const made = await service.makeAuthority(successor, OPERATOR);
    assert.equal(made.kind, "made");
    const plan = { meters: [], cause: "authorities", reason: "successor" } as const;
    assert.deepEqual(await service.planEnrolments(plan, OPERATOR), { planned: 1 });
    await carryTakeover(custody, subject.meter);
    const after = (await service.enrolmentStates({ meters: [titleOf(subject)], after: undefined }, OPERATOR)).states[0];
    assert.equal(after?.verdict, "enrolled");
    assert.equal(await opens(custody, subject), "open");
    assert.equal(subject.certificates.held.length, held);
  }));

test("a root whose key is no longer ours alone leaves its meters with a compromised anchor, which takes firmware or a visit", () =>
  withPki(async (custody) => {
    const subject = await enrolled(custody, 1);
    const { pki, service } = custody.custody;
    const state = async () => {
      const { states } = await service.enrolmentStates({ meters: [titleOf(subject)], after: undefined }, OPERATOR);
      return states[0];
    };
    assert.equal((await state())?.anchor, "verified");
    const root = (await pki.authorities.all()).find(({ profile }) => profile === "root");
    await pki.revocations.plan({ authority: root?.authority as string }, "cACompromise", "person");
    assert.equal((await state())?.anchor, "compromised");
    assert.match((await state())?.sentence ?? "", /new firmware or somebody who goes there/);
  }));

test("a removal is over by what the meter says that it holds: a meter that was never here is freed at once", () =>
  withPki(async (custody) => {
    const { pki } = custody.custody;
    const { authority } = await pki.issuerFor(PLACE, "P-256");
    const key = await pki.keys.make("line", "P-256");
    const request = await makeRequestWith(key, "line");
    const subject = {
      kind: "device",
      systemTitle: systemTitle(fromHex("5453540000000099")),
      hwType: undefined,
    } as const;
    const item = { request, profile: "dlms-suite-1-signature", subject };
    await custody.custody.service.issueCertificates({ authority, items: [item], hosts: [] }, OPERATOR);
    const id = await removing(custody, { authority });
    await pki.tend();
    assert.equal((await standing(custody, id)).state, "done");
  }));

test("a plan that is withdrawn has taken trust from nobody: neither its meters nor their anchor are distrusted", () =>
  withPki(async (custody) => {
    const subject = await enrolled(custody, 1);
    const { pki, service } = custody.custody;
    const held = subject.certificates.held.length;
    for (const profile of ["issuing-p256", "root"]) {
      const one = (await pki.authorities.all()).find((found) => found.profile === profile);
      const { id } = await pki.revocations.plan({ authority: one?.authority as string }, "cACompromise", "person");
      await pki.revocations.move(id, "withdraw", "person");
    }
    const plan = { meters: [], cause: "authorities", reason: "look again" } as const;
    await service.planEnrolments(plan, OPERATOR);
    await carryTakeover(custody, subject.meter);
    const [state] = (await service.enrolmentStates({ meters: [titleOf(subject)], after: undefined }, OPERATOR)).states;
    assert.deepEqual([state?.anchor, state?.verdict], ["verified", "enrolled"]);
    assert.equal(await opens(custody, subject), "open");
    assert.equal(subject.certificates.held.length, held);
  }));

test("a meter is believed by its whole chain: no session when a ceremony's list names an authority above it", () =>
  withPki(async (custody) => {
    const subject = await enrolled(custody, 1);
    const { pki, service } = custody.custody;
    assert.equal(await opens(custody, subject), "open");
    const scheme = (await pki.authorities.all()).find(({ profile }) => profile === "scheme");
    const serial = toHex(decodeCertificate(scheme?.certificate as Uint8Array).serial);
    // As `adoptList` does: no plan of ours says so, and no certificate below is revoked by itself.
    await pki.store.registry.revokeAgain(scheme?.parent as string, [serial], custody.now, "cACompromise");
    assert.equal(await opens(custody, subject), "identity-revoked");
    await assert.rejects(pki.issuerFor(PLACE, "P-256"), /no authority issues/);
    const all = { utility: undefined, authority: undefined, serial: undefined, keyIdentifier: undefined };
    const rest = { subject: undefined, endsBefore: undefined, after: undefined, limit: 100 };
    const query = { ...all, ...rest, systemTitle: subject.meter.systemTitle, state: "valid" } as const;
    assert.deepEqual((await service.searchCertificates(query, OPERATOR)).certificates, []);
  }));

test("a meter is believed under the table as it is now: none when its title was given to another authority", () =>
  withPki(async (custody) => {
    const subject = await enrolled(custody, 1);
    const { pki } = custody.custody;
    const table = await pki.assignments();
    assert.ok(table);
    const title = fromHex(subject.meter.systemTitle);
    const given = table.table.rows.map((row) => ({ ...row, ranges: [{ first: title, last: title }] }));
    const elsewhere = { ...given[0]!, authority: new Uint8Array(20).fill(7), name: "another utility" };
    await pki.assign([elsewhere], "person");
    assert.equal(await opens(custody, subject), "identity-revoked");
    await pki.assign(given, "person");
    assert.equal(await opens(custody, subject), "open");
  }));
