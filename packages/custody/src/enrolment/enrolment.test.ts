import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EnrolmentState } from "@meterkeep/api/custodian";
import { fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { getRequest } from "../protocol/requests.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { TestCertificates } from "../testing/test-certificates.ts";
import { caller, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { type MeterFault, TestMeter } from "../testing/test-meter.ts";
import { ENROLLED_USES } from "./journal.ts";

const OPERATOR = caller("operator");
const PLACE = { utility: "stadtwerke", island: "mainland" };
const SUITE_1 = { profile: "idis-p3", securitySuite: 1 } as const;

/** A meter under test. */
interface Subject {
  readonly meter: TestMeter;
  readonly certificates: TestCertificates;
}

const titleOf = ({ meter }: Pick<Subject, "meter">) => systemTitle(fromHex(meter.systemTitle));

const withPki = (body: (custody: TestCustody) => Promise<void>, store = memoryCustodyStore()) =>
  withTestCustody(body, store, { pki: { developmentTree: PLACE } });

/** A meter of suite 1 whose anchor is this custodian's root, taken over. */
async function takenOver(
  custody: TestCustody,
  { number = 1, foreign = [], anchor }: { number?: number; foreign?: readonly Uint8Array[]; anchor?: Uint8Array } = {},
): Promise<Subject> {
  const systemTitleText = `545354${number.toString(16).toUpperCase().padStart(10, "0")}`;
  const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
  assert.ok(root);
  const certificates = new TestCertificates(fromHex(systemTitleText), anchor ?? root.certificate, foreign);
  const meter = new TestMeter({ systemTitle: systemTitleText, certificates });
  await custody.add(meter, SUITE_1);
  assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
  custody.now += 10_000;
  await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END);
  return { meter, certificates };
}

async function stateOf(custody: TestCustody, subject: Pick<Subject, "meter">): Promise<EnrolmentState> {
  const { states } = await custody.custody.service.enrolmentStates(
    { meters: [titleOf(subject)], after: undefined },
    OPERATOR,
  );
  assert.ok(states[0]);
  return states[0];
}

/** What a meter holds is what the custodian says that it does, and every certificate was issued once for its key. */
async function settled(custody: TestCustody, subject: Subject): Promise<void> {
  const { certificates } = subject;
  const state = await stateOf(custody, subject);
  assert.equal(state.verdict, "enrolled", state.sentence);
  const { registry } = custody.custody.pki.store;
  const all = await registry.search({ systemTitle: subject.meter.systemTitle, limit: 100 }, custody.now);
  const signed = all.filter(({ octets }) => octets !== undefined);
  assert.equal(new Set(signed.map(({ keyIdentifier }) => keyIdentifier)).size, signed.length);
  for (const use of ENROLLED_USES) {
    const own = state.certificates.filter((one) => one.use === use);
    assert.deepEqual(
      own.map(({ state: is }) => is),
      [use === "tls" ? "on-meter" : "proven"],
    );
    const held = signed.find(({ octets }) => octets !== undefined && toHex(octets) === certificates.own(use));
    assert.equal(held?.serial, own[0]?.serial);
    assert.equal(held?.revokedAt, undefined);
  }
  assert.equal(certificates.held.length, 8);
}

async function read(
  custody: TestCustody,
  { meter }: Pick<Subject, "meter">,
): Promise<{ readonly clientSap: number; readonly ok: boolean }> {
  const { service } = custody.custody;
  const opened = await service.openSession({ meter: titleOf({ meter }), purpose: "read" }, HEAD_END);
  const line = meter.connect(opened.clientSap, opened.serverSap);
  const { session, clientSap } = opened;
  for (let send: Uint8Array | undefined = opened.apdu; send !== undefined; ) {
    const received = line.exchange(send);
    if (received === undefined) return { clientSap, ok: false };
    const advance = await service.advanceSession({ session, received }, HEAD_END);
    if (advance.kind === "failed") return { clientSap, ok: false };
    send = advance.kind === "send" ? advance.apdu : undefined;
  }
  const apdu = getRequest({ classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 });
  const [sealed] = await service.seal({ session, items: [{ apdu }] }, HEAD_END);
  assert.equal(sealed?.kind, "sealed");
  const [answer] = await service.open({ session, apdus: [line.exchange(sealed.apdu) as Uint8Array] }, HEAD_END);
  await service.closeSession({ session, outcome: "completed" }, HEAD_END);
  return { clientSap, ok: answer?.kind === "opened" };
}

describe("a meter of suite 1", () => {
  test("is enrolled after its takeover, and proves itself by signature in sessions from then on", () =>
    withPki(async (custody) => {
      const subject = await takenOver(custody);
      assert.equal((await stateOf(custody, subject)).phase, "planned");
      assert.deepEqual(await read(custody, subject), { clientSap: 1, ok: true });
      const { steps } = await carryTakeover(custody, subject.meter);
      assert.equal(steps[0], "enrolment-association");
      assert.ok(steps.includes("signed-request"));
      await settled(custody, subject);
      assert.deepEqual(await read(custody, subject), { clientSap: 3, ok: true });
      const report = await custody.custody.service.enrolmentReport({}, OPERATOR);
      assert.deepEqual([report.capable, report.enrolled], [1, 1]);
    }));

  test("that has proven its signing key is not read without it, whoever has its symmetric keys", () =>
    withPki(async (custody) => {
      const subject = await takenOver(custody);
      await carryTakeover(custody, subject.meter);
      const impostor = new TestCertificates(
        fromHex(subject.meter.systemTitle),
        Uint8Array.from((await custody.custody.pki.authorities.all())[0]?.certificate ?? []),
      );
      impostor.generateKeyPair("digitalSignature");
      subject.certificates.active = { ...subject.certificates.active, ...impostor.pending };
      assert.deepEqual(await read(custody, subject), { clientSap: 3, ok: false });
    }));

  test("is renewed, and the certificates before are revoked when it has proven the new keys", () =>
    withPki(async (custody) => {
      const subject = await takenOver(custody);
      await carryTakeover(custody, subject.meter);
      const before = (await stateOf(custody, subject)).certificates.map(({ serial }) => serial);
      custody.now += 11 * 365 * 86_400_000;
      const plan = { meters: [], cause: "renewal", reason: "test" } as const;
      assert.deepEqual(await custody.custody.service.planEnrolments(plan, OPERATOR), { planned: 1 });
      assert.deepEqual(await read(custody, subject), { clientSap: 3, ok: true });
      await carryTakeover(custody, subject.meter);
      await settled(custody, subject);
      const { registry } = custody.custody.pki.store;
      for (const serial of before) {
        const [found] = await registry.search({ serial, limit: 1 }, custody.now);
        assert.equal(found?.reason, "superseded");
      }
      assert.deepEqual(await read(custody, subject), { clientSap: 3, ok: true });
    }));

  test("that was made for somebody else's root is not enrolled, and why is said in a sentence", () =>
    withPki(async (custody) => {
      const all = await custody.custody.pki.authorities.all();
      const anchor = all.find(({ profile }) => profile === "scheme")?.certificate;
      const subject = await takenOver(custody, { ...(anchor === undefined ? {} : { anchor }) });
      await carryTakeover(custody, subject.meter);
      const state = await stateOf(custody, subject);
      assert.equal(state.verdict, "anchor-missing");
      assert.match(state.sentence, /new firmware or somebody who goes there/);
      assert.deepEqual(await read(custody, subject), { clientSap: 1, ok: true });
    }));

  test("gives up what is foreign", () =>
    withPki(async (custody) => {
      let foreign: Uint8Array | undefined;
      await withPki(async (other) => {
        foreign = (await other.custody.pki.authorities.all())[1]?.certificate;
      });
      const subject = await takenOver(custody, { foreign: [foreign as Uint8Array] });
      const { steps } = await carryTakeover(custody, subject.meter);
      assert.ok(steps.includes("remove-certificate"));
      await settled(custody, subject);
    }));
});

test("a meter of suite 0 stays with symmetric keys, and says so", () =>
  withPki(async (custody) => {
    const meter = new TestMeter({ systemTitle: "5453540000000001" });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const state = await stateOf(custody, { meter });
    assert.equal(state.phase, "not-applicable");
    assert.match(state.sentence, /suite 0/);
  }));

test("whoever dies at any commit, the meter ends enrolled and no key is certified twice", () =>
  withPki(async (custody) => {
    let number = 1;
    const first = await takenOver(custody, { number });
    custody.crashAt(undefined, "before");
    await carryTakeover(custody, first.meter);
    await settled(custody, first);
    const { commits } = custody;
    assert.ok(commits > 20);
    for (const when of ["before", "after"] as const)
      for (let commit = 0; commit < commits; commit += 1) {
        number += 1;
        const subject = await takenOver(custody, { number });
        custody.crashAt(commit, when);
        const { crashes } = await carryTakeover(custody, subject.meter);
        // The authorities' certificates are there by now, so that there may be fewer commits than the first time.
        assert.ok(crashes === 1 || commit >= commits - 4, `${when} commit ${commit}`);
        custody.crashAt(undefined, "before");
        await settled(custody, subject);
      }
  }));

test("whatever a meter does at any APDU, it ends enrolled and no key is certified twice", () =>
  withPki(async (custody) => {
    let number = 1;
    const { meter } = await takenOver(custody, { number });
    const { steps } = await carryTakeover(custody, meter);
    for (const fault of ["dies-before", "dies-after"] as const satisfies readonly MeterFault[])
      for (let at = 0; at < steps.length; at += 1) {
        number += 1;
        const subject = await takenOver(custody, { number });
        await carryTakeover(custody, subject.meter, { faults: [...Array<MeterFault>(at).fill("none"), fault] });
        await settled(custody, subject);
      }
  }));

test("over PostgreSQL, as the role that runs", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) =>
    withPki(async (custody) => {
      const subject = await takenOver(custody);
      await carryTakeover(custody, subject.meter);
      await settled(custody, subject);
      assert.deepEqual(await read(custody, subject), { clientSap: 3, ok: true });
    }, postgresCustodyStore(pool)),
  ));
