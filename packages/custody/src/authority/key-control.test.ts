import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { sealMeterKeys } from "../testing/shipment-writer.ts";
import { HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { ALONE_METERS_A_DAY } from "./key-control.ts";

const DAY = 86_400_000;
const titleOf = (number: number) => systemTitle(fromHex(`54535400${number.toString(16).padStart(8, "0")}`));
const titles = (count: number) => Array.from({ length: count }, (_, at) => titleOf(at + 1));
const REFUSED = { code: "approval-required" } as const;

function planning(custody: TestCustody) {
  return (count: number, cause: "demand" | "compromise" = "demand") =>
    custody.custody.service.planRotations(
      { meters: titles(count), madeBefore: undefined, purposes: [], cause, reason: "a test" },
      OPERATOR,
    );
}

test("one person rotates so many meters a day, over any number of starts; more, and the fleet, take two", async () => {
  const there = (store?: CustodyStore) =>
    withTestCustody(async (custody) => {
      const world = await AuthorityWorld.open(custody);
      const plan = planning(custody);
      await plan(ALONE_METERS_A_DAY - 1);
      await assert.rejects(plan(2), REFUSED);
      await plan(1, "compromise");
      await custody.restart();
      await assert.rejects(plan(1), REFUSED, "a start gives nobody another day");
      const { planned, asked } = await world.agreed(() => plan(0));
      assert.deepEqual([planned, asked], [0, 0]);
      await assert.rejects(plan(0), REFUSED, "an approval is burnt");
      await assert.rejects(plan(0, "compromise"), REFUSED, "the whole fleet waits for a second, whatever the cause");
      custody.now += DAY;
      await plan(ALONE_METERS_A_DAY);
      const alone = (await custody.store.ledger.read(0, 10_000)).filter(({ kind }) => kind === "done-by-one");
      assert.deepEqual(
        alone.map(({ principal, body }) => [principal, (JSON.parse(body) as { meters: number }).meters]),
        [199, 1, 200].map((meters) => ["operator", meters]),
      );
    }, store);
  await there();
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => there(postgresCustodyStore(pool)));
});

test("where nobody is enrolled to approve the ledger says each time what was done without", () =>
  withTestCustody(async (custody) => {
    await planning(custody)(0);
    const { body } = (await custody.store.ledger.read(0, 1000)).find(
      ({ kind }) => kind === "done-without-approvers",
    ) as { readonly body: string };
    assert.deepEqual(JSON.parse(body), { kind: "rotate-keys", body: { cause: "demand", meters: "every meter" } });
  }));

test("one person suspends a key and marks it compromised; giving it back and ending it take two, and so does the policy", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(1);
    const { service } = custody.custody;
    const change = (command: "suspend" | "resume" | "compromise" | "destroy", version = 2) =>
      service.changeKeyState(
        {
          meter: systemTitle(fromHex(meter.systemTitle)),
          purpose: "GAK",
          version,
          client: undefined,
          command,
          reason: "a test",
        },
        OPERATOR,
      );
    await change("suspend");
    await assert.rejects(change("resume"), REFUSED);
    await world.agreed(() => change("resume"));
    // Two approvals are of one key and version: what is refused for another reason plans nothing.
    const planned = (await service.changes({ limit: 100 }, OPERATOR)).changes.length;
    await assert.rejects(change("destroy"), { code: "key-transition-refused" });
    assert.equal((await service.changes({ limit: 100 }, OPERATOR)).changes.length, planned);
    await assert.rejects(change("destroy", 1), REFUSED);
    await world.agreed(() => change("destroy", 1));
    await change("compromise");
    const policy = () => service.setKeyPolicy({ ...NO_CHANGE, retainDays: 1 }, OPERATOR);
    await assert.rejects(policy(), REFUSED);
    assert.equal((await world.agreed(policy)).policy.retainDays, 1);
    await assert.rejects(service.setKeyPolicy({ ...NO_CHANGE, retainDays: 0 }, OPERATOR), {
      code: "key-policy-refused",
    });
  }));

const NO_CHANGE = { cryptoPeriodDays: undefined, countLimit: undefined, perHour: undefined, retainDays: undefined };

test("a head-end adds no meter that people have not agreed to, with these very keys, however often they are sealed", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const { service, recipient } = custody.custody;
    const add = (meter: TestMeter) =>
      service.addMeter(
        {
          utility: "stadtwerke",
          island: "mainland",
          systemTitle: systemTitle(fromHex(meter.systemTitle)),
          sealed: sealMeterKeys(recipient, meter.systemTitle, {
            0: meter.factoryKeys[0] as Uint8Array,
            2: meter.factoryKeys[2] as Uint8Array,
          }),
          kind: "real",
        },
        HEAD_END,
      );
    const meter = new TestMeter({ systemTitle: "5453540000000901" });
    assert.equal((await world.agreed(() => add(meter))).kind, "added");
    assert.equal(await custody.store.meterCount(), 1);
    const other = new TestMeter({ systemTitle: "5453540000000902" });
    await assert.rejects(add(other), REFUSED);
    assert.equal(await custody.store.meterCount(), 1);
    // What it cannot take in anyway it has nobody look at.
    assert.equal((await add(meter)).kind, "refused");
  }));

test("one person enrols so many meters a day and stops the waves; the fleet, and every other policy, take two", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const { service } = custody.custody;
    const enrol = (count: number) =>
      service.planEnrolments({ meters: titles(count), cause: "demand", reason: "a test" }, OPERATOR);
    await enrol(ALONE_METERS_A_DAY - 1);
    await assert.rejects(enrol(2), REFUSED);
    await assert.rejects(planning(custody)(2), REFUSED, "it is one sum");
    await world.agreed(() => enrol(0));
    await assert.rejects(enrol(0), REFUSED);
    const change = (asked: { perDay?: number; renewAfterDays?: number }) =>
      service.setEnrolmentPolicy(
        { perDay: undefined, renewAfterDays: undefined, renewBeforeDays: undefined, ...asked },
        OPERATOR,
      );
    assert.equal((await change({ perDay: 0 })).policy.perDay, 0);
    await assert.rejects(change({ perDay: 10 }), REFUSED);
    await assert.rejects(change({ perDay: 0, renewAfterDays: 30 }), REFUSED);
    assert.equal((await world.agreed(() => change({ perDay: 10 }))).policy.perDay, 10);
  }));
