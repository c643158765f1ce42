import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { CAUSE_RISK } from "../store/rotation-cause.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld } from "../testing/authority-world.ts";
import { TestCertificates } from "../testing/test-certificates.ts";
import { caller, carryTakeover, DEPOT, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const OPERATOR = caller("operator");
const PKI = { pki: { developmentTree: { utility: "stadtwerke", island: "mainland" } } };
const REPEAT = { meters: [], madeBefore: undefined, purposes: [], reason: "a test" } as const;
const repeat = (custody: TestCustody) =>
  custody.custody.service.planRotations({ ...REPEAT, cause: "exposure", grade: "exposed" }, OPERATOR);

const titleOf = (number: number) => `5453540000000A${number.toString(16).padStart(2, "0").toUpperCase()}`;
const named = (title: string) => systemTitle(fromHex(title));

/** A meter of suite 1, taken over in the field. */
async function able(custody: TestCustody, number: number, holders: readonly string[]): Promise<TestMeter> {
  const title = titleOf(number);
  const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
  assert.ok(root);
  const certificates = new TestCertificates(fromHex(title), root.certificate, []);
  const meter = new TestMeter({ systemTitle: title, certificates });
  await custody.add(meter, { profile: "idis-p3", securitySuite: 1, holders });
  await carryTakeover(custody, meter);
  return meter;
}

async function enrol(custody: TestCustody, meter: TestMeter): Promise<void> {
  custody.now += 10_000;
  await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END);
  await carryTakeover(custody, meter);
}

async function exposed(custody: TestCustody) {
  const { meters, next } = await custody.custody.service.exposedMeters({}, OPERATOR);
  assert.equal(next, undefined);
  return meters.map(({ meter, way, holders }) => [systemTitleText(meter), way, holders.length]);
}

async function gradeOf(custody: TestCustody, meter: TestMeter) {
  const asked = { meters: [named(meter.systemTitle)], after: undefined };
  return (await custody.custody.service.takeoverStates(asked, HEAD_END)).states[0]?.grade;
}

const everywhere = async (body: (custody: TestCustody) => Promise<void>) => {
  await withTestCustody(body, undefined, PKI);
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => {
    const store: CustodyStore = postgresCustodyStore(pool);
    return withTestCustody(body, store, PKI);
  });
};

test("exposed takeovers are repeated where an agreement can be had, by taint; the others are named with what they need", () =>
  everywhere(async (custody) => {
    const old = await able(custody, 1, ["Maker"]);
    await enrol(custody, old);
    // Years do not outweigh an organisation.
    custody.now += 300 * 86_400_000;
    const tainted = await able(custody, 2, ["Maker", "Shipper", "Integrator"]);
    await enrol(custody, tainted);
    await able(custody, 3, ["Maker", "Shipper"]);
    const plain = new TestMeter({ systemTitle: titleOf(4) });
    await custody.add(plain, { holders: ["Maker"] });
    await carryTakeover(custody, plain);
    const safe = new TestMeter({ systemTitle: titleOf(5) });
    await custody.add(safe);
    await carryTakeover(custody, safe, { by: DEPOT });
    const fresh = new TestMeter({ systemTitle: titleOf(6) });
    await custody.add(fresh);
    assert.deepEqual(await exposed(custody), [
      [titleOf(1), "agreement", 1],
      [titleOf(2), "agreement", 3],
      [titleOf(3), "enrol", 2],
      [titleOf(4), "visit", 1],
    ]);
    assert.deepEqual(await repeat(custody), { planned: 2, asked: 4, unable: 2 });
    const open = { meters: [], filter: "open", after: undefined } as const;
    const { states } = await custody.custody.service.rotationStates(open, OPERATOR);
    assert.deepEqual(
      states.map(({ meter, risk, purposes }) => [systemTitleText(meter), risk, purposes.length]),
      [
        [titleOf(1), CAUSE_RISK.exposure + 24, 4],
        [titleOf(2), CAUSE_RISK.exposure + 72, 4],
      ],
    );
    const { meters } = await custody.custody.service.contactsDue({ limit: 100 }, HEAD_END);
    const turns = meters.map(systemTitleText).filter((title) => title === titleOf(1) || title === titleOf(2));
    assert.deepEqual(turns, [titleOf(2), titleOf(1)], "who had more of its holders goes first");
    assert.equal((await exposed(custody))[0]?.[1], "under-way");
    assert.deepEqual(await repeat(custody), { planned: 0, asked: 4, unable: 2 });
    for (const meter of [old, tainted]) {
      const { steps } = await carryTakeover(custody, meter);
      assert.ok(steps.includes("agree-master"), steps.join());
      assert.equal(await gradeOf(custody, meter), "agreed");
    }
    assert.deepEqual(await exposed(custody), [
      [titleOf(3), "enrol", 2],
      [titleOf(4), "visit", 1],
    ]);
    const entries = await custody.store.ledger.read(0, 10_000);
    const planned = entries.filter(({ kind }) => kind === "rotations-planned").map(({ body }) => JSON.parse(body));
    assert.deepEqual(planned[0], { cause: "exposure", grade: "exposed", planned: 2, asked: 4, unable: 2 });
  }));

test("a meter that refuses to agree is not asked again: its new keys were exposed once more", () =>
  withTestCustody(
    async (custody) => {
      const meter = await able(custody, 1, ["Maker"]);
      await enrol(custody, meter);
      const { certificates } = meter;
      assert.ok(certificates);
      const { general } = certificates;
      const keysFor: typeof general.keysFor = (client) => ({ ...general.keysFor(client), signing: undefined });
      Object.assign(certificates, { general: { ...general, keysFor } });
      assert.equal((await repeat(custody)).planned, 1);
      await carryTakeover(custody, meter);
      assert.equal(await gradeOf(custody, meter), "exposed");
      assert.deepEqual(await exposed(custody), [[titleOf(1), "visit", 1]]);
      assert.deepEqual(await repeat(custody), { planned: 0, asked: 1, unable: 1 });
    },
    undefined,
    PKI,
  ));

test("a takeover is repeated in the depot by a rotation of all keys, not of some, and not on the way over the network", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: titleOf(1) });
    await custody.add(meter, { holders: ["Maker"] });
    await carryTakeover(custody, meter);
    const rotate = async (purposes: readonly ("GUEK" | "GAK" | "KEK")[], by = DEPOT) => {
      const asked = {
        ...REPEAT,
        meters: [named(meter.systemTitle)],
        purposes: [...purposes],
        cause: "exposure",
      } as const;
      assert.equal((await custody.custody.service.planRotations(asked, OPERATOR)).planned, 1);
      await carryTakeover(custody, meter, { by });
      return gradeOf(custody, meter);
    };
    assert.equal(await rotate(["GUEK", "GAK"]), "exposed", "the master that their holders may have stayed");
    assert.equal(await rotate(["KEK"]), "exposed", "the working keys stayed");
    assert.equal(await rotate([], HEAD_END), "exposed");
    assert.equal(await rotate([]), "shielded");
    assert.deepEqual(await exposed(custody), []);
    assert.equal(await rotate([], HEAD_END), "shielded", "under keys that nobody had");
  }));

test("where a master that was agreed on is lost, the next one that all keys go under takes its place", () =>
  withTestCustody(
    async (custody) => {
      const meter = await able(custody, 1, ["Maker"]);
      await enrol(custody, meter);
      await repeat(custody);
      await carryTakeover(custody, meter);
      assert.equal(await gradeOf(custody, meter), "agreed");
      const agreed = (await custody.store.load(meter.systemTitle))?.keys.findLast(({ purpose }) => purpose === 3);
      const lost = { meter: named(meter.systemTitle), purpose: "KEK", client: undefined, reason: "lost" } as const;
      await custody.custody.service.changeKeyState(
        { ...lost, version: agreed?.version ?? 0, command: "compromise" },
        OPERATOR,
      );
      assert.equal(await gradeOf(custody, meter), "exposed");
      await carryTakeover(custody, meter);
      assert.equal(await gradeOf(custody, meter), "agreed");
    },
    undefined,
    PKI,
  ));

test("it means the fleet: two people agree to it, to this grade, and what is no repeat is refused before anybody is asked", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    await assert.rejects(repeat(custody), { code: "approval-required" });
    const { service } = custody.custody;
    const all = () => service.planRotations({ ...REPEAT, cause: "exposure" }, OPERATOR);
    await assert.rejects(all(), { code: "approval-required" });
    const [one, other] = (await service.changes({ limit: 10 }, OPERATOR)).changes;
    assert.ok(one && other && one.hash !== other.hash, "an approval of the exposed ones is none of every meter");
    assert.equal((await world.agreed(() => repeat(custody))).asked, 0);
    const changes = (await service.changes({ limit: 100 }, OPERATOR)).changes.length;
    for (const wrong of [{ cause: "demand" }, { purposes: ["GUEK"] }, { madeBefore: 1 }] as const)
      await assert.rejects(
        service.planRotations({ ...REPEAT, cause: "exposure", grade: "exposed", ...wrong } as never, OPERATOR),
        { code: "request-malformed" },
      );
    assert.equal((await service.changes({ limit: 100 }, OPERATOR)).changes.length, changes);
  }));
