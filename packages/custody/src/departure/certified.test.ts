import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import type { TrustedManufacturer } from "../shipment/manufacturer.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { sold } from "../testing/meter-sale.ts";
import { TestCertificates } from "../testing/test-certificates.ts";
import { Crash, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const PLACE = { utility: "stadtwerke", island: "mainland" } as const;
const TITLE = "5453540000000601";
const title = systemTitle(fromHex(TITLE));

/** A meter that has been enrolled, and the utility that it leaves and comes back to. */
interface Enrolled {
  readonly custody: TestCustody;
  readonly world: AuthorityWorld;
  readonly trusted: TrustedManufacturer[];
  readonly certificates: TestCertificates;
  readonly meter: TestMeter;
}

async function withEnrolled(body: (one: Enrolled) => Promise<void>, store = memoryCustodyStore()): Promise<void> {
  const trusted: TrustedManufacturer[] = [];
  await withTestCustody(
    async (custody) => {
      const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
      assert.ok(root);
      const certificates = new TestCertificates(fromHex(TITLE), root.certificate, []);
      const meter = new TestMeter({ systemTitle: TITLE, certificates });
      await custody.add(meter, { ...PLACE, profile: "idis-p3", securitySuite: 1 });
      const enrolled = { custody, trusted, certificates, meter, world: await AuthorityWorld.open(custody) };
      await enrol(enrolled);
      await body(enrolled);
    },
    store,
    { pki: { developmentTree: PLACE }, manufacturers: trusted },
  );
}

/** Has it taken over and enrolled. */
async function enrol({ custody, meter }: Pick<Enrolled, "custody" | "meter">): Promise<void> {
  const { state } = await carryTakeover(custody, meter);
  assert.equal(state.verdict, "proven", state.sentence);
  custody.now += 10_000;
  await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END);
  await carryTakeover(custody, meter);
  const enrolment = await enrolmentOf({ custody });
  assert.equal(enrolment.verdict, "enrolled", enrolment.sentence);
}

async function enrolmentOf({ custody }: Pick<Enrolled, "custody">) {
  const { states } = await custody.custody.service.enrolmentStates({ meters: [title], after: undefined }, OPERATOR);
  assert.ok(states[0]);
  return states[0];
}

/** Sold, to a custodian that is this one: nobody touches it there. @returns the file it comes back with */
const soldBy = ({ custody, trusted, world }: Enrolled) =>
  sold(title, { name: "Old Utility", flag: "OLD", world }, { name: "New Utility", custody, trusted });

test("a certified meter that leaves loses its certificates, and one that comes back is enrolled anew with pairs of its own", async () => {
  const there = (store?: ReturnType<typeof memoryCustodyStore>) =>
    withEnrolled(async (one) => {
      const { custody, certificates } = one;
      const before = (await enrolmentOf(one)).certificates.map(({ serial }) => serial);
      assert.equal(before.length, 3);
      const file = await soldBy(one);
      const { registry } = custody.custody.pki.store;
      const reasons = async () =>
        Promise.all(
          before.map(async (serial) => (await registry.search({ serial, limit: 1 }, custody.now))[0]?.reason),
        );
      assert.deepEqual(await reasons(), Array(3).fill("cessationOfOperation"));
      const outcome = await one.world.agreed(() => one.world.offer(file));
      assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
      // What is stored is believed only where it is what the ledger says.
      await custody.restart();
      assert.equal((await enrolmentOf(one)).signs, false, "it is known by its keys until it is enrolled anew");
      const back = { ...one, meter: one.meter.resold() };
      await enrol(back);
      const { certificates: now, signs } = await enrolmentOf(one);
      assert.ok(signs);
      assert.deepEqual(
        now.map(({ state }) => state),
        ["proven", "proven", "on-meter"],
      );
      assert.ok(now.every(({ serial }) => !before.includes(serial)));
      assert.equal(certificates.held.length, 8, "nothing of before is left on it");
      // It leaves and comes back as often as it is sold.
      const again = await soldBy(one);
      assert.equal((await one.world.agreed(() => one.world.offer(again))).kind, "imported");
      await enrol({ ...one, meter: back.meter.resold() });
    }, store);
  await there();
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => there(postgresCustodyStore(pool) as never));
});

test("a meter that leaves in the middle of an enrolment leaves nothing open that anybody is asked to go on with", () =>
  withEnrolled(async (one) => {
    const { custody } = one;
    const plan = { meters: [title], cause: "demand", reason: "test" } as const;
    assert.deepEqual(await custody.custody.service.planEnrolments(plan, OPERATOR), { planned: 1 });
    await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END);
    const begun = await custody.custody.service.nextContact({ meter: title }, HEAD_END);
    assert.equal(begun.kind, "connect");
    const request = { meters: [title], how: "retired", reason: "fire", recipient: undefined } as const;
    const sender = { flag: "", name: "" };
    await one.world.agreed(() => custody.custody.service.departMeters({ ...request, sender }, OPERATOR));
    await custody.restart();
    custody.now += 3_600_000;
    assert.deepEqual((await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END)).meters, []);
    assert.equal((await custody.custody.service.nextContact({ meter: title }, HEAD_END)).kind, "nothing");
    assert.equal((await enrolmentOf(one)).phase, "failed");
  }));

test("killed before or after the commit of its return, a certified meter is ours whole or not at all", () =>
  withEnrolled(async (one) => {
    const { custody } = one;
    const file = await soldBy(one);
    await assert.rejects(one.world.offer(file), { code: "approval-required" });
    const [planned] = (await one.world.service.changes({ limit: 10 }, OPERATOR)).changes.filter(
      ({ state }) => state === "planned",
    );
    for (const who of [one.world.anna, one.world.ben]) await one.world.approve(planned?.hash as string, who);
    custody.crashAt(2, "before");
    await assert.rejects(one.world.offer(file), Crash);
    custody.crashAt(undefined, "before");
    await custody.restart();
    assert.equal((await custody.store.load(TITLE))?.meter.standing, "transferred");
    assert.equal((await one.world.agreed(() => one.world.offer(file))).kind, "imported");
    await enrol({ ...one, meter: one.meter.resold() });
  }));
