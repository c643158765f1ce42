import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustodianRequest } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { linesOf } from "../shipment/lines.ts";
import { readShipment, type ShippedMeter } from "../shipment/reader.ts";
import type { Recipient } from "../shipment/recipient.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { senderOf } from "../testing/meter-sale.ts";
import { fileOf, testManufacturer, testMeters, writeShipment } from "../testing/shipment-writer.ts";
import { Crash, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { testRecipient } from "../testing/test-recipient.ts";

const DAY = 86_400_000;
const MAKER = testManufacturer();
const SENDER = { flag: "OLD", name: "Old Owner" } as const;
const titleOf = (meter: TestMeter) => systemTitle(fromHex(meter.systemTitle));
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

async function taken(custody: TestCustody, title: string): Promise<TestMeter> {
  const meter = new TestMeter({ systemTitle: title, secrets: true, setupVersion: 0 });
  await custody.add(meter, { profile: "is15959" });
  assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
  return meter;
}

const retired = (...meters: readonly TestMeter[]) =>
  ({ meters: meters.map(titleOf), how: "retired", reason: "scrapped", sender: SENDER, recipient: undefined }) as const;

function transferred(to: Recipient, ...meters: readonly TestMeter[]) {
  const { ecdh, mlkem } = to.publicKeys;
  const recipient = { name: "New Owner", ecdhPublicKey: ecdh, mlkemPublicKey: mlkem };
  return { meters: meters.map(titleOf), how: "transferred", reason: "sold", sender: SENDER, recipient } as const;
}

const approved = (world: AuthorityWorld, request: CustodianRequest<"departMeters">) =>
  world.agreed(() => world.service.departMeters(request, OPERATOR));

async function opened(to: Recipient, transfer: NonNullable<Awaited<ReturnType<typeof approved>>["transfer"]>) {
  const maker = senderOf(SENDER, transfer);
  const meters: ShippedMeter[] = [];
  let verified = false;
  for await (const item of readShipment(linesOf([transfer.file]), { manufacturers: [maker], recipient: to })) {
    if (item.kind === "meter") meters.push(item.meter);
    verified ||= item.kind === "verified";
    if (item.kind === "header") assert.equal(item.header.kind, "transfer");
  }
  assert.ok(verified);
  return meters;
}

test("a meter that is retired is spoken to no more, its keys are destroyed in time, and its title stays barred", () =>
  withTestCustody(async (custody) => {
    const meter = await taken(custody, "5453540000000401");
    const { service } = custody.custody;
    const open = await service.openSession({ meter: titleOf(meter), purpose: "read" } as never, HEAD_END);
    const line = meter.connect(open.clientSap, open.serverSap);
    assert.deepEqual(await service.departMeters(retired(meter), OPERATOR), { departed: 1 });
    const received = line.exchange(open.apdu) as Uint8Array;
    await assert.rejects(service.advanceSession({ session: open.session, received }, HEAD_END), {
      code: "session-unknown",
    });
    await assert.rejects(service.openSession({ meter: titleOf(meter), purpose: "read" } as never, HEAD_END), {
      code: "meter-left",
    });
    assert.equal((await service.nextContact({ meter: titleOf(meter) }, HEAD_END)).kind, "nothing");
    const [state] = (await service.takeoverStates({ meters: [titleOf(meter)], after: undefined }, HEAD_END)).states;
    assert.match(state?.sentence ?? "", /^It was retired/);
    await assert.rejects(service.departMeters(retired(meter), OPERATOR), { code: "meter-left" });
    const rotate = { meters: [], madeBefore: undefined, purposes: [], cause: "demand", reason: "x" } as const;
    assert.equal((await service.planRotations(rotate, OPERATOR)).planned, 0);
    await assert.rejects(custody.add(meter), { code: "custody-write-conflict" });
    custody.now += 401 * DAY;
    await custody.custody.sweep();
    const file = await custody.store.load(meter.systemTitle);
    assert.ok(file?.keys.every(({ state: now, sealed }) => now.startsWith("destroyed") && sealed.length === 0));
    const entries = await custody.store.ledger.read(0, 1000);
    assert.equal(entries.filter(({ kind }) => kind === "meter-departed").length, 1);
  }));

test("where people approve, nobody retires or gives away a meter alone", () =>
  withTestCustody(async (custody) => {
    const meter = await taken(custody, "5453540000000402");
    const to = testRecipient();
    await assert.rejects(custody.custody.service.departMeters(transferred(to, meter), OPERATOR), {
      code: "approval-required",
    });
    const world = await AuthorityWorld.open(custody);
    assert.equal((await approved(world, retired(meter))).departed, 1);
  }));

test("a head-end retires nothing alone, not even where nobody is enrolled to approve; who asked there does not approve", () =>
  withTestCustody(async (custody) => {
    const meter = await taken(custody, "5453540000000407");
    const request = { ...retired(meter), requester: "Anna" };
    const { service } = custody.custody;
    await assert.rejects(service.departMeters(request, HEAD_END), { code: "approval-required" });
    const world = await AuthorityWorld.open(custody);
    const [planned] = (await world.service.changes({ limit: 10 }, HEAD_END)).changes.filter(
      ({ kind }) => kind === "retire-meter",
    );
    assert.deepEqual([planned?.requester, planned?.state], ["Anna", "planned"]);
    await assert.rejects(world.approve(planned?.hash as string, world.anna), { code: "approval-refused" });
    await world.approve(planned?.hash as string, world.ben);
    await assert.rejects(world.service.departMeters(request, HEAD_END), { code: "approval-required" });
    assert.equal((await custody.store.load(meter.systemTitle))?.meter.standing, undefined);
    // Somebody else asks: what is signed is another document, and then the head-end carries it out.
    custody.now += 25 * 3_600_000;
    await assert.rejects(world.service.departMeters({ ...request, requester: "Carla" }, HEAD_END), {
      code: "approval-required",
    });
    const [again] = (await world.service.changes({ limit: 10 }, HEAD_END)).changes.filter(
      ({ kind, state }) => kind === "retire-meter" && state === "planned",
    );
    for (const who of [world.anna, world.ben]) await world.approve(again?.hash as string, who);
    assert.deepEqual(await world.service.departMeters({ ...request, requester: "Carla" }, HEAD_END), { departed: 1 });
    const [entry] = (await custody.store.ledger.read(0, 10_000)).filter(({ kind }) => kind === "meter-departed");
    assert.equal((JSON.parse(entry?.body ?? "{}") as { requester?: string }).requester, "Carla");
    const [state] = (await world.service.takeoverStates({ meters: [titleOf(meter)], after: undefined }, HEAD_END))
      .states;
    assert.equal(state?.phase, "left");
  }));

test("a head-end that asks for everything to leave buries nobody in changes", () =>
  withTestCustody(async (custody) => {
    const { service } = custody.custody;
    const meters = [await taken(custody, "5453540000000408"), await taken(custody, "5453540000000409")];
    const to = testRecipient();
    for (let at = 0; at < 64; at += 1)
      await assert.rejects(
        service.departMeters(
          { ...transferred(to, ...meters), recipient: { ...transferred(to).recipient, name: `Owner ${at}` } },
          HEAD_END,
        ),
        { code: "approval-required" },
      );
    await assert.rejects(service.departMeters(retired(...meters), HEAD_END), { code: "too-many-open" });
    // The operator's own way is not barred by that.
    await assert.rejects(service.departMeters(transferred(to, ...meters), OPERATOR), { code: "approval-required" });
  }));

test("a meter that is sold goes with the keys that are on it, to its new owner alone, who knows whose they were", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await taken(custody, "5453540000000403");
    const to = testRecipient();
    const { transfer } = await approved(world, transferred(to, meter));
    const asked = { meter: titleOf(meter), person: undefined, from: undefined };
    const { exposures } = await world.service.exposure(asked, OPERATOR);
    const known = JSON.parse(exposures) as readonly {
      readonly who: string;
      readonly as: string;
      readonly form: string;
      readonly why: string;
    }[];
    const given = known.find(({ who, as, form }) => who === "New Owner" && as === "other owner" && form === "clear");
    assert.match(given?.why ?? "", /as Anna and Ben agreed/);
    assert.ok(known.some(({ as, form }) => as === "escrow" && form === "sealed"));
    assert.ok(transfer !== undefined);
    const [shipped, ...others] = await opened(to, transfer);
    assert.deepEqual(others, []);
    assert.deepEqual(shipped?.holders, ["Test Meters", "Old Owner"]);
    const keys = shipped?.keys.map(({ client, purpose, key }) => [purpose, client, key.lend(hex)]);
    assert.deepEqual(keys, [
      ...meter.keys.map((octets, purpose) => [purpose, undefined, hex(octets)]),
      [5, 34, hex(meter.secrets["optical"] as Uint8Array)],
      [6, 48, hex(meter.secrets["setting"] as Uint8Array)],
    ]);
    assert.ok((shipped?.counter ?? 0) >= meter.lowestCounter - 1, "the meter takes the new owner's first counter");
    assert.equal(Buffer.from(transfer.file).includes(meter.keys[0] as Uint8Array), false);
    await assert.rejects(opened(testRecipient(), transfer), {
      code: "shipment-recipient-wrong",
    });
    const [state] = (await world.service.takeoverStates({ meters: [titleOf(meter)], after: undefined }, HEAD_END))
      .states;
    assert.match(state?.sentence ?? "", /^It was given to another owner/);
  }));

test("the new owner takes the meter over: the old owner's keys are dead, and that it had them is the new taint", () =>
  withTestCustody(async (seller) => {
    const world = await AuthorityWorld.open(seller);
    const meter = await taken(seller, "5453540000000404");
    const to = testRecipient();
    const [shipped] = await opened(to, (await approved(world, transferred(to, meter))).transfer as never);
    await withTestCustody(async (buyer) => {
      // As a meter comes out of its shipment: the octets it has, and what was said of its counter.
      const sold = meter.resold();
      await buyer.add(sold, {
        profile: "is15959",
        holders: shipped?.holders ?? [],
        ...(shipped === undefined ? {} : { counterFloor: shipped.counter }),
      });
      const { state } = await carryTakeover(buyer, sold);
      assert.equal(state.verdict, "proven");
      assert.match(state.sentence, /Test Meters or Old Owner could have recorded the change/);
      assert.ok(
        !state.steps.some(({ step }) => step === "counter-hint"),
        "its counter was told: nobody has to be believed about it",
      );
      for (const [purpose, octets] of sold.keys.entries())
        assert.notEqual(hex(octets), hex(meter.keys[purpose] as Uint8Array), "the old owner's keys open nothing");
    });
  }));

test("a meter between two keys is not given away, and a transfer that was lost is made anew", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const to = testRecipient();
    const fresh = new TestMeter({ systemTitle: "5453540000000405" });
    await custody.add(fresh);
    await assert.rejects(world.service.departMeters(transferred(to, fresh), OPERATOR), { code: "keys-unsettled" });
    const meter = await taken(custody, "5453540000000406");
    const first = (await approved(world, transferred(to, meter))).transfer;
    const again = (await approved(world, transferred(to, meter))).transfer;
    assert.notEqual(first?.shipment, again?.shipment);
    const [one] = await opened(to, again as never);
    assert.equal(one?.keys[0]?.key.lend(hex), hex(meter.keys[0] as Uint8Array));
    await assert.rejects(world.service.departMeters({ ...transferred(to, meter), how: "returned" }, OPERATOR), {
      code: "meter-left",
    });
    const unknown = { ...transferred(to, meter), meters: [systemTitle(fromHex("5453540000009999"))] };
    await assert.rejects(world.service.departMeters(unknown, OPERATOR), { code: "unknown-meter" });
    await assert.rejects(world.service.departMeters({ ...transferred(to, meter), recipient: undefined }, OPERATOR), {
      code: "request-malformed",
    });
  }));

test("killed before or after the commit of a departure, a meter is ours whole or gone whole", async () => {
  const killed = (store?: CustodyStore) =>
    withTestCustody(async (custody) => {
      for (const [at, when] of (["before", "after"] as const).entries()) {
        const meter = await taken(custody, `545354000000041${at}`);
        // The first commit is the ledger's word that nobody had to approve.
        custody.crashAt(1, when);
        await assert.rejects(custody.custody.service.departMeters(retired(meter), OPERATOR), Crash);
        custody.crashAt(undefined, when);
        await custody.restart();
        const file = await custody.store.load(meter.systemTitle);
        const active = file?.keys.filter(({ state }) => state === "active").length;
        if (when === "before") assert.deepEqual([file?.meter.standing, active], [undefined, 6]);
        else assert.deepEqual([file?.meter.standing, active], ["retired", 0]);
      }
    }, store);
  await killed();
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => killed(postgresCustodyStore(pool)));
});

test("once people approve, a shipment is taken in when two have agreed to that very file, and not before", () =>
  withTestCustody(
    async (custody) => {
      const world = await AuthorityWorld.open(custody);
      const { service } = custody.custody;
      const to = custody.custody.recipient;
      const lines = writeShipment(MAKER, to, testMeters(3));
      const refusal = await world.offer(fileOf(lines)).then(
        () => assert.fail("it was taken in"),
        (error: { code?: string; message: string }) => error,
      );
      assert.equal(refusal.code, "approval-required");
      assert.match(refusal.message, /take in 3 meters of Test Meters/);
      assert.equal((await service.status({}, HEAD_END)).meters, 0);
      const hash = /change ([0-9a-f]{96})/.exec(refusal.message)?.[1] as string;
      for (const who of [world.anna, world.ben]) await world.approve(hash, who);
      await assert.rejects(world.offer(fileOf(writeShipment(MAKER, to, testMeters(3)))), { code: "approval-required" });
      assert.equal((await world.offer(fileOf(lines))).kind, "imported");
      assert.equal((await service.status({}, HEAD_END)).meters, 3);
    },
    undefined,
    { manufacturers: [MAKER.trusted] },
  ));
