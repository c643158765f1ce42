import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustodianResponse } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { CustodyError } from "../errors.ts";
import { linesOf } from "../shipment/lines.ts";
import { readShipment } from "../shipment/reader.ts";
import type { Recipient } from "../shipment/recipient.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { senderOf } from "../testing/meter-sale.ts";
import { Crash, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { testRecipient } from "../testing/test-recipient.ts";
import { openSession } from "../testing/test-session.ts";
import { LeavingMeters } from "./leaving-meters.ts";

const SENDER = { flag: "OLD", name: "Old Owner" } as const;
const PLACE = { utility: "stadtwerke", island: "mainland", setup: 0 } as const;
const TITLE = "5453540000000701";
const title = systemTitle(fromHex(TITLE));

function transfer(to: Recipient) {
  const { ecdh, mlkem } = to.publicKeys;
  const recipient = { name: "New Owner", ecdhPublicKey: ecdh, mlkemPublicKey: mlkem };
  return { meters: [title], how: "transferred", reason: "sold", sender: SENDER, recipient } as const;
}

async function taken(custody: TestCustody, systemTitle = TITLE): Promise<TestMeter> {
  const meter = new TestMeter({ systemTitle, secrets: true, setupVersion: 0 });
  await custody.add(meter, { profile: "is15959" });
  assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
  return meter;
}

/** What its next owner is told of a meter. */
async function told(to: Recipient, { transfer: file }: CustodianResponse<"departMeters">) {
  assert.ok(file !== undefined);
  const maker = senderOf(SENDER, file);
  for await (const item of readShipment(linesOf([file.file]), { manufacturers: [maker], recipient: to }))
    if (item.kind === "meter") return item.meter;
  return assert.fail("no meter is in the file");
}

/** The highest counter that anybody may ever use with it. */
async function reservedUpTo({ store }: TestCustody): Promise<number> {
  const { counters } = await store.counterLine({ ...PLACE, systemTitle: TITLE });
  return Math.max(...counters.map(({ next }) => next - 1));
}

/** A store that stops before the commit by which meters leave, and fails it where that is wanted. */
function stoppingAtDeparture(store: CustodyStore, failure?: Error) {
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const stopping: CustodyStore = {
    ...store,
    commit: async (writes, growth) => {
      if (writes.some(({ kind }) => kind === "set-standing")) {
        reached.resolve();
        await go.promise;
        if (failure !== undefined) throw failure;
      }
      return store.commit(writes, growth);
    },
  };
  return { stopping, reached: reached.promise, go: go.resolve };
}

test("while a meter leaves nobody begins anything with it, and its next owner is told every counter that anybody may use", async () => {
  const { stopping, reached, go } = stoppingAtDeparture(memoryCustodyStore());
  await withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await taken(custody);
    const to = testRecipient();
    const { service } = custody.custody;
    const before = await openSession(custody, meter);
    const leaving = world.agreed(() => service.departMeters(transfer(to), OPERATOR));
    await reached;
    const lease = {
      handheld: "phone",
      meters: [title],
      hours: 1,
      operations: ["read"],
      reason: "x",
      requester: undefined,
    } as const;
    const child = { meter: title, sealed: "" };
    for (const begun of [
      () => service.openSession({ meter: title, purpose: "read" }, HEAD_END),
      () => service.openSession({ meter: title, purpose: "configure" }, HEAD_END),
      () => service.nextContact({ meter: title }, HEAD_END),
      () => service.giveLease(lease, OPERATOR),
      () => service.drillCounters({ meters: [title] }, OPERATOR),
      () => service.installChild(child, OPERATOR),
    ])
      await assert.rejects(begun, { code: "meter-leaving" }, String(begun));
    const late = service.closeSession({ session: before.session, outcome: "completed", releases: true }, HEAD_END);
    await assert.rejects(late, { code: "session-unknown" }, "what was open is over before the counters are told");
    go();
    const { counter } = await told(to, await leaving);
    assert.ok(counter >= (await reservedUpTo(custody)), `${counter} is told`);
    assert.ok(counter >= meter.lowestCounter - 1);
    await assert.rejects(service.openSession({ meter: title, purpose: "read" }, HEAD_END), { code: "meter-left" });
    const reserved = await reservedUpTo(custody);
    const asideOf = async () =>
      (await custody.custody.service.drillCounters({ meters: [title] }, OPERATOR)).counters.map(({ count }) => count);
    assert.deepEqual(await asideOf(), [0], "of what is its next owner's a drill has nothing");
    await custody.restart();
    assert.deepEqual(await asideOf(), [0]);
    assert.equal(await reservedUpTo(custody), reserved);
  }, stopping);
});

test("a meter whose departure came to nothing is here as before", async () => {
  const failure = new CustodyError("custody-write-conflict", "somebody else was first");
  const { stopping, go } = stoppingAtDeparture(memoryCustodyStore(), failure);
  go();
  await withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await taken(custody);
    const to = testRecipient();
    await assert.rejects(
      world.agreed(() => custody.custody.service.departMeters(transfer(to), OPERATOR)),
      failure,
    );
    await openSession(custody, meter);
    assert.equal((await custody.custody.service.nextContact({ meter: title }, HEAD_END)).kind, "nothing");
  }, stopping);
});

test("a meter that begins to change its keys after two people let it go is not given away with those of before", async () => {
  const store = memoryCustodyStore();
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  // What the departure asks for after it has been agreed to, and before it ends what is open.
  const { installation } = store;
  const stopping: CustodyStore = {
    ...store,
    installation: {
      ...installation,
      namedSecret: async (name) => {
        if (name.startsWith("shipment-sender")) {
          reached.resolve();
          await go.promise;
        }
        return installation.namedSecret(name);
      },
    },
  };
  await withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await taken(custody);
    const to = testRecipient();
    const { service } = custody.custody;
    const ask = () => service.departMeters(transfer(to), OPERATOR);
    const leaving = world.agreed(ask);
    await reached.promise;
    const plan = { madeBefore: undefined, purposes: [], cause: "demand", reason: "x" } as const;
    assert.equal((await service.planRotations({ ...plan, meters: [title] }, OPERATOR)).planned, 1);
    const begun = await service.nextContact({ meter: title }, HEAD_END);
    assert.equal(begun.kind, "connect");
    go.resolve();
    await assert.rejects(leaving, { code: "keys-unsettled" });
    const rotated = await carryTakeover(custody, meter);
    assert.equal(rotated.state.verdict, "proven", rotated.state.sentence);
    custody.now += 25 * 3_600_000;
    const shipped = await told(to, await world.agreed(ask));
    const octets = shipped.keys.map(({ key }) => key.lend((each) => Buffer.from(each).toString("hex")));
    assert.deepEqual(
      octets.slice(0, 4),
      meter.keys.map((each) => Buffer.from(each).toString("hex")),
    );
  }, stopping);
});

test("killed at every step of a transfer, a meter is ours and read, or has left; made anew, every counter is told", async () => {
  const killed = (store: CustodyStore, whens: readonly ("before" | "after")[]) =>
    withTestCustody(async (custody) => {
      const world = await AuthorityWorld.open(custody);
      const meter = await taken(custody);
      const to = testRecipient();
      const standing = async () => (await custody.store.load(TITLE))?.meter.standing;
      let deaths = 0;
      for (const when of whens)
        for (let step = 0; ; step += 1) {
          const isHere = (await standing()) === undefined;
          // What was open when it died is no reason for anybody to use more.
          if (isHere) await openSession(custody, meter);
          const asked = await world.service.departMeters(transfer(to), OPERATOR).then(
            () => undefined,
            (error: Error) => /change ([0-9a-f]{96})/.exec(error.message)?.[1],
          );
          for (const who of [world.anna, world.ben]) await world.approve(asked as string, who);
          custody.crashAt(step, when);
          const outcome = await world.service.departMeters(transfer(to), OPERATOR).catch((error: unknown) => error);
          custody.crashAt(undefined, when);
          if (!(outcome instanceof Crash)) {
            const { counter } = await told(to, outcome as CustodianResponse<"departMeters">);
            assert.ok(counter >= (await reservedUpTo(custody)) && counter >= meter.lowestCounter - 1, `${counter}`);
            assert.equal(await standing(), "transferred");
            break;
          }
          deaths += 1;
          await custody.restart();
          custody.now += 25 * 3_600_000;
          const open = () => custody.custody.service.openSession({ meter: title, purpose: "read" }, HEAD_END);
          if ((await standing()) === undefined) await openSession(custody, meter);
          else await assert.rejects(open, { code: "meter-left" });
        }
      assert.ok(deaths >= whens.length, `${deaths} deaths`);
    }, store);
  await killed(memoryCustodyStore(), ["before"]);
  await killed(memoryCustodyStore(), ["after"]);
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) =>
    killed(postgresCustodyStore(pool), ["before", "after"]),
  );
});

test("a meter leaves when what is under way with it is over, and nothing else of it begins meanwhile; others are not held up", async () => {
  const meters = new LeavingMeters();
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const working = [meters.during(["A"], () => one.promise), meters.during(["A", "B"], () => two.promise)];
  let hasLeft = false;
  const leaving = meters.leave(["A", "C"]).then((left) => {
    hasLeft = true;
    return left;
  });
  for (const title of ["A", "C"]) {
    assert.throws(() => meters.requireStaying(title), { code: "meter-leaving" });
    await assert.rejects(
      meters.during(["B", title], async () => assert.fail("it began")),
      { code: "meter-leaving" },
    );
    await assert.rejects(meters.leave([title]), { code: "meter-leaving" });
  }
  assert.equal(await meters.during(["B"], async () => 7), 7);
  one.resolve();
  await working[0];
  await new Promise(setImmediate);
  assert.ok(!hasLeft, "another is under way");
  two.resolve();
  (await leaving)[Symbol.dispose]();
  await Promise.all(working);
  assert.equal(await meters.during(["A", "C"], async () => 8), 8);
});
