import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import type { MasterCommand } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import fc from "fast-check";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import {
  fileOf,
  type TestMeter,
  testManufacturer,
  testMeters,
  writeMaster,
  writeShipment,
} from "../testing/shipment-writer.ts";
import { HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { testRecipient } from "../testing/test-recipient.ts";
import { openFactoryMaster } from "./factory-master.ts";
import { ShipmentRefusal } from "./refusal.ts";

const maker = testManufacturer();
const MASTER = "00112233445566778899aabbccddeeff";
const PURPOSES = ["GUEK", "GBEK", "GAK", "KEK"];

/** The keys of a meter as docs/formats/shipment.md has them follow from a master. */
function derived(master: Uint8Array, meter: TestMeter): TestMeter {
  const keys = PURPOSES.map((purpose) => {
    const label = Buffer.from(`meterkeep-factory-1/${purpose}`);
    const text = [Buffer.from("00000001", "hex"), label, Buffer.alloc(1), Buffer.from(meter.systemTitle, "hex")];
    const mac = createHmac("sha256", master)
      .update(Buffer.concat([...text, Buffer.from("00000080", "hex")]))
      .digest();
    return new Uint8Array(mac.subarray(0, 16));
  });
  return { ...meter, keys };
}

const publicKeysOf = ({ custody: { recipient } }: TestCustody) => ({
  keyId: recipient.keyId,
  ecdh: recipient.ecdh,
  mlkem: recipient.mlkem,
});

async function offered(custody: TestCustody, meters: readonly TestMeter[], master?: string) {
  const { service } = custody.custody;
  const lines = writeShipment(maker, publicKeysOf(custody), meters, master === undefined ? {} : { master });
  const { upload } = await service.beginShipment({ utility: "demo", island: "main" }, HEAD_END);
  await service.shipmentChunk({ upload, bytes: fileOf(lines) }, HEAD_END);
  return service.commitShipment({ upload }, HEAD_END);
}

const withMaker = (body: (custody: TestCustody) => Promise<void>) =>
  withTestCustody(body, undefined, { manufacturers: [maker.trusted] });

test("a shipment without keys brings those that follow from its maker's master, once that is held", () =>
  withMaker(async (custody) => {
    const { service } = custody.custody;
    const master = new Uint8Array(randomBytes(32));
    const meters = testMeters(3).map((meter) => derived(master, meter));
    const before = await offered(custody, meters, MASTER);
    assert.ok(before.kind === "refused" && before.code === "shipment-master-unknown", JSON.stringify(before));
    const file = writeMaster(maker, publicKeysOf(custody), MASTER, master);
    assert.deepEqual(await service.takeFactoryMaster({ file: `${file}\n` }, OPERATOR), {
      master: MASTER,
      manufacturer: maker.trusted.name,
    });
    // The start of an installation hands it over each time.
    await service.takeFactoryMaster({ file }, OPERATOR);
    const outcome = await offered(custody, meters, MASTER);
    assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
    const title = systemTitle(fromHex((meters[0] as TestMeter).systemTitle));
    const { keys } = await service.describeKeys({ meter: title }, HEAD_END);
    assert.deepEqual(
      keys.map(({ purpose, origin }) => [purpose, origin]),
      PURPOSES.map((purpose) => [purpose, "derived"]),
    );
    const kinds = (await custody.store.ledger.read(0, 100)).map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === "factory-master-accepted").length, 1);
  }));

test("a master goes through the states of NIST SP 800-57, each by a command that the ledger has; keys follow from an active one alone", () =>
  withMaker(async (custody) => {
    const master = new Uint8Array(randomBytes(32));
    const file = writeMaster(maker, publicKeysOf(custody), MASTER, master);
    await custody.custody.service.takeFactoryMaster({ file }, OPERATOR);
    const heldNow = async () => (await custody.custody.service.factoryMasters({}, OPERATOR)).masters[0];
    const manufacturerKey = (await heldNow())?.manufacturerKey as string;
    const to = async (command: MasterCommand) => {
      const request = { master: MASTER, manufacturerKey, command, reason: "a test" };
      return (await custody.custody.service.changeMasterState(request, OPERATOR)).state;
    };
    const [one, two] = testMeters(2).map((meter) => derived(master, meter)) as [TestMeter, TestMeter];
    const outcomeOf = async (meter: TestMeter) => (await offered(custody, [meter], MASTER)).kind;
    assert.equal((await heldNow())?.state, "active");
    await assert.rejects(to("resume"), { code: "key-transition-refused" });
    await assert.rejects(to("destroy"), { code: "key-transition-refused" }, "not while it is active");
    assert.equal(await to("suspend"), "suspended");
    assert.equal(await outcomeOf(one), "refused");
    await custody.restart();
    assert.equal(await outcomeOf(one), "refused", "no start forgets it");
    assert.equal(await to("resume"), "active");
    assert.equal(await outcomeOf(one), "imported");
    assert.equal(await to("deactivate"), "deactivated");
    assert.equal(await outcomeOf(two), "refused");
    // What cannot be taken back takes two people.
    await assert.rejects(to("destroy"), { code: "approval-required" });
    const world = await AuthorityWorld.open(custody);
    const [planned] = (await world.service.changes({ limit: 10 }, OPERATOR)).changes.filter(
      ({ kind }) => kind === "destroy-keys",
    );
    for (const who of [world.anna, world.ben]) await world.approve(planned?.hash as string, who);
    assert.equal(await to("destroy"), "destroyed");
    assert.equal(await to("destroy"), "destroyed", "again is as good as once");
    await assert.rejects(custody.custody.service.takeFactoryMaster({ file }, OPERATOR), {
      code: "key-transition-refused",
    });
    assert.equal(await to("compromise"), "destroyed-compromised");
    const entries = (await custody.store.ledger.read(0, 10_000)).filter(
      ({ kind }) => kind === "factory-master-state-changed",
    );
    assert.deepEqual(
      entries.map(({ body }) => (JSON.parse(body) as { to: string }).to),
      ["suspended", "active", "deactivated", "destroyed", "destroyed-compromised"],
    );
    const unknown = { master: "ff".repeat(16), manufacturerKey, command: "suspend", reason: "a test" } as const;
    await assert.rejects(custody.custody.service.changeMasterState(unknown, OPERATOR), { code: "key-unknown" });
  }));

test("a key that does not follow from the master is refused, and its line is named", () =>
  withMaker(async (custody) => {
    const master = new Uint8Array(randomBytes(32));
    await custody.custody.service.takeFactoryMaster(
      { file: writeMaster(maker, publicKeysOf(custody), MASTER, master) },
      OPERATOR,
    );
    const [one, two] = testMeters(2) as [TestMeter, TestMeter];
    const outcome = await offered(custody, [derived(master, one), two], MASTER);
    assert.ok(outcome.kind === "refused" && outcome.code === "meter-check-value-wrong", JSON.stringify(outcome));
    assert.equal(outcome.line, 2);
  }));

test("a master of a stranger, changed, or sealed to somebody else is refused, whatever is wrong with its octets", async () => {
  const recipient = testRecipient();
  const trust = { manufacturers: [maker.trusted], recipient };
  const open = (text: string) => openFactoryMaster(Buffer.from(text), trust);
  const file = writeMaster(maker, recipient.publicKeys, MASTER, randomBytes(32));
  assert.equal((await open(file)).master, MASTER);
  const refused = (text: string, code: string) => assert.rejects(open(text), { code });
  await refused(
    writeMaster(testManufacturer("Other", "OTH"), recipient.publicKeys, MASTER, randomBytes(32)),
    "shipment-manufacturer-unknown",
  );
  await refused(file.replace(MASTER, MASTER.replace("0", "1")), "shipment-signature-wrong");
  const elsewhere = testRecipient().publicKeys;
  await refused(writeMaster(maker, elsewhere, MASTER, randomBytes(32)), "shipment-recipient-wrong");
  await refused(writeMaster(maker, recipient.publicKeys, MASTER, randomBytes(16)), "meter-check-value-wrong");
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.nat(255), async (at, octet) => {
      const spoilt = Buffer.from(file);
      if (spoilt[at] === octet) return;
      spoilt[at] = octet;
      await assert.rejects(openFactoryMaster(spoilt, trust), ShipmentRefusal);
    }),
    { numRuns: 200 },
  );
});
