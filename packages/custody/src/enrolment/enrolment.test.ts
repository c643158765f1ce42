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

const OPERATOR = caller("operator");
const TITLE = "5453540000000001";
const PLACE = { utility: "stadtwerke", island: "mainland" };
const SUITE_1 = { profile: "idis-p3", securitySuite: 1 } as const;
const title = systemTitle(fromHex(TITLE));

const withPki = (body: (custody: TestCustody) => Promise<void>, store = memoryCustodyStore()) =>
  withTestCustody(body, store, { pki: { developmentTree: PLACE } });

/** A meter of suite 1 whose anchor is this custodian's root, taken over. */
async function takenOver(custody: TestCustody, foreign: readonly Uint8Array[] = [], anchor?: Uint8Array) {
  const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
  assert.ok(root);
  const certificates = new TestCertificates(title, anchor ?? root.certificate, foreign);
  const meter = new TestMeter({ systemTitle: TITLE, certificates });
  await custody.add(meter, SUITE_1);
  assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
  custody.now += 10_000;
  await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END);
  return { meter, certificates };
}

async function stateOf(custody: TestCustody): Promise<EnrolmentState> {
  const { states } = await custody.custody.service.enrolmentStates({ meters: [title], after: undefined }, OPERATOR);
  assert.ok(states[0]);
  return states[0];
}

/** What a meter holds is what the custodian says that it does, and every certificate was issued once for its key. */
async function settled(custody: TestCustody, certificates: TestCertificates): Promise<void> {
  const state = await stateOf(custody);
  assert.equal(state.verdict, "enrolled", state.sentence);
  const { registry } = custody.custody.pki.store;
  const all = await registry.search({ systemTitle: TITLE, limit: 100 }, custody.now);
  const signed = all.filter(({ octets }) => octets !== undefined);
  assert.equal(new Set(signed.map(({ keyIdentifier }) => keyIdentifier)).size, signed.length);
  for (const use of ["digitalSignature", "keyAgreement"] as const) {
    const own = state.certificates.filter((one) => one.use === use);
    assert.deepEqual(
      own.map(({ state: is }) => is),
      ["proven"],
    );
    const held = signed.find(({ octets }) => octets !== undefined && toHex(octets) === certificates.own(use));
    assert.equal(held?.serial, own[0]?.serial);
    assert.equal(held?.revokedAt, undefined);
  }
  assert.equal(certificates.held.length, 7);
}

async function read(
  custody: TestCustody,
  meter: TestMeter,
): Promise<{ readonly clientSap: number; readonly ok: boolean }> {
  const { service } = custody.custody;
  const opened = await service.openSession({ meter: title, purpose: "read" }, HEAD_END);
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
      const { meter, certificates } = await takenOver(custody);
      assert.equal((await stateOf(custody)).phase, "planned");
      assert.deepEqual(await read(custody, meter), { clientSap: 1, ok: true });
      const { steps } = await carryTakeover(custody, meter);
      assert.equal(steps[0], "enrolment-association");
      assert.ok(steps.includes("signed-request"));
      await settled(custody, certificates);
      assert.deepEqual(await read(custody, meter), { clientSap: 3, ok: true });
      const report = await custody.custody.service.enrolmentReport({}, OPERATOR);
      assert.deepEqual([report.capable, report.enrolled], [1, 1]);
    }));

  test("is renewed, and the certificates before are revoked when it has proven the new keys", () =>
    withPki(async (custody) => {
      const { meter, certificates } = await takenOver(custody);
      await carryTakeover(custody, meter);
      const before = (await stateOf(custody)).certificates.map(({ serial }) => serial);
      custody.now += 11 * 365 * 86_400_000;
      const plan = { meters: [], cause: "renewal", reason: "test" } as const;
      assert.deepEqual(await custody.custody.service.planEnrolments(plan, OPERATOR), { planned: 1 });
      assert.deepEqual(await read(custody, meter), { clientSap: 3, ok: true });
      await carryTakeover(custody, meter);
      await settled(custody, certificates);
      const { registry } = custody.custody.pki.store;
      for (const serial of before) {
        const [found] = await registry.search({ serial, limit: 1 }, custody.now);
        assert.equal(found?.reason, "superseded");
      }
      assert.deepEqual(await read(custody, meter), { clientSap: 3, ok: true });
    }));

  test("that was made for somebody else's root is not enrolled, and why is said in a sentence", () =>
    withPki(async (custody) => {
      const all = await custody.custody.pki.authorities.all();
      const scheme = all.find(({ profile }) => profile === "scheme");
      const { meter } = await takenOver(custody, [], scheme?.certificate);
      await carryTakeover(custody, meter);
      const state = await stateOf(custody);
      assert.equal(state.verdict, "anchor-missing");
      assert.match(state.sentence, /new firmware or somebody who goes there/);
      assert.deepEqual(await read(custody, meter), { clientSap: 1, ok: true });
    }));

  test("gives up what is foreign", () =>
    withPki(async (custody) => {
      let foreign: Uint8Array | undefined;
      await withPki(async (other) => {
        foreign = (await other.custody.pki.authorities.all())[1]?.certificate;
      });
      const { meter, certificates } = await takenOver(custody, [foreign as Uint8Array]);
      const { steps } = await carryTakeover(custody, meter);
      assert.ok(steps.includes("remove-certificate"));
      await settled(custody, certificates);
    }));
});

test("a meter of suite 0 stays with symmetric keys, and says so", () =>
  withPki(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const state = await stateOf(custody);
    assert.equal(state.phase, "not-applicable");
    assert.match(state.sentence, /suite 0/);
  }));

test("whoever dies at any commit, the meter ends enrolled and no key is certified twice", () =>
  withPki(async (custody) => {
    const { meter, certificates } = await takenOver(custody);
    custody.crashAt(undefined, "before");
    await carryTakeover(custody, meter);
    await settled(custody, certificates);
    const commits = custody.commits;
    assert.ok(commits > 20);
    for (const when of ["before", "after"] as const)
      for (let commit = 0; commit < commits; commit += 1)
        await withPki(async (mortal) => {
          const { meter: victim, certificates: held } = await takenOver(mortal);
          mortal.crashAt(commit, when);
          const { crashes } = await carryTakeover(mortal, victim);
          assert.equal(crashes, 1, `${when} commit ${commit}`);
          await settled(mortal, held);
        });
  }));

test("whatever a meter does at any APDU, it ends enrolled and no key is certified twice", () =>
  withPki(async (custody) => {
    const { meter } = await takenOver(custody);
    const { steps } = await carryTakeover(custody, meter);
    for (const fault of ["dies-before", "dies-after"] as const satisfies readonly MeterFault[])
      for (let at = 0; at < steps.length; at += 1)
        await withPki(async (other) => {
          const { meter: victim, certificates } = await takenOver(other);
          await carryTakeover(other, victim, { faults: [...Array<MeterFault>(at).fill("none"), fault] });
          await settled(other, certificates);
        });
  }));

test("over PostgreSQL, as the role that runs", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) =>
    withPki(async (custody) => {
      const { meter, certificates } = await takenOver(custody);
      await carryTakeover(custody, meter);
      await settled(custody, certificates);
      assert.deepEqual(await read(custody, meter), { clientSap: 3, ok: true });
    }, postgresCustodyStore(pool)),
  ));
