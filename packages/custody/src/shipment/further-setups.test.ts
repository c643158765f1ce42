import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Exposure } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { DAY_MILLISECONDS } from "../day.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { journalOf } from "../takeover/view.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { sold, type TestUtility } from "../testing/meter-sale.ts";
import { asOwner } from "../testing/owned-database.ts";
import {
  fileOf,
  type TestMeter as ShippedTestMeter,
  sealMeterKeys,
  type TestShipmentOptions,
  testManufacturer,
  testMeters,
  writeMaster,
  writeShipment,
} from "../testing/shipment-writer.ts";
import { carryTakeover, DEPOT, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { testRecipient } from "../testing/test-recipient.ts";
import { linesOf } from "./lines.ts";
import type { TrustedManufacturer } from "./manufacturer.ts";
import { readShipment, type ShippedMeter } from "./reader.ts";
import { ShipmentRefusal } from "./refusal.ts";
import { openSealedKeys } from "./sealed-keys.ts";

const maker = testManufacturer();
const recipient = testRecipient();
const fresh = () => [0, 1, 2, 3].map(() => new Uint8Array(randomBytes(16)));
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

function withSetups(...setups: readonly number[]): ShippedTestMeter {
  const [meter] = testMeters(1) as [ShippedTestMeter];
  return { ...meter, setups: setups.map((setup) => ({ setup, keys: fresh() })) };
}

async function read(meter: ShippedTestMeter, options: TestShipmentOptions = {}): Promise<ShippedMeter> {
  const octets = fileOf(writeShipment(maker, recipient.publicKeys, [meter], options));
  const meters: ShippedMeter[] = [];
  for await (const item of readShipment(linesOf([octets]), { manufacturers: [maker.trusted], recipient }))
    if (item.kind === "meter") meters.push(item.meter);
  return meters[0] as ShippedMeter;
}

const refused = (meter: ShippedTestMeter, code: string, words: RegExp, options: TestShipmentOptions = {}) =>
  assert.rejects(read(meter, options), (error: unknown) => {
    assert.ok(error instanceof ShipmentRefusal, String(error));
    assert.deepEqual([error.code, error.line, error.systemTitle], [code, 1, meter.systemTitle], error.message);
    assert.match(error.message, words);
    return true;
  });

test("a shipment brings the keys of every security setup of a meter, each under its own", async () => {
  const meter = withSetups(1, 3);
  const { keys, setups } = await read(meter);
  assert.deepEqual(
    keys.map(({ purpose, setup = 0, key }) => [setup, purpose, key.lend(hex)]),
    [{ setup: 0, keys: meter.keys }, ...(meter.setups ?? [])].flatMap((one) =>
      one.keys.map((key, purpose) => [one.setup, purpose, hex(key)]),
    ),
  );
  assert.deepEqual(
    setups.map(({ setup }) => setup),
    [1, 3],
  );
});

test("keys of one security setup never pass for those of another, nor a half of them for the whole", async () => {
  const meter = withSetups(1, 2);
  type Setup = NonNullable<ShippedTestMeter["setups"]>[0];
  const [one, two] = (meter.setups ?? []) as unknown as [Setup, Setup];
  const section = (setup: number, keys: readonly Uint8Array[]) =>
    Buffer.concat([Buffer.of(253, 1, setup), ...keys.map((key, at) => Buffer.concat([Buffer.of(at, 16), key]))]);
  const block = (...parts: readonly Buffer[]) => ({
    block: (plain: Buffer) => Buffer.concat([plain.subarray(0, 72), ...parts]),
  });
  const incomplete = "meter-keys-incomplete";
  // The sealed block has them the other way round than the signed line says.
  const swapped = block(section(1, two.keys), section(2, one.keys));
  await refused(meter, "meter-check-value-wrong", /not that of its key/, swapped);
  const twice = block(section(1, one.keys), section(2, one.keys));
  await refused(meter, "meter-check-value-wrong", /not that of its key/, twice);
  await refused(meter, incomplete, /not the 4 keys of security setup 2/, block(section(1, one.keys)));
  const short = block(section(1, one.keys), section(2, two.keys.slice(0, 3)));
  await refused(meter, incomplete, /not the 4 keys of security setup 2/, short);
  const third = block(section(1, one.keys), section(2, two.keys), section(3, fresh()));
  await refused(meter, incomplete, /security setup 3, which its line does not name/, third);
  const back = block(section(2, two.keys), section(1, one.keys));
  await refused(meter, incomplete, /security setup 1 after security setup 2/, back);
  await refused(meter, incomplete, /security setup 0 after/, block(section(0, one.keys)));
  await refused(meter, incomplete, /security setup 9 after/, block(section(9, one.keys)));
  const empty = block(section(1, one.keys), section(2, two.keys), section(3, []));
  await refused(meter, incomplete, /security setup 3 has no keys/, empty);
  await refused(meter, incomplete, /security setup 1 has no keys/, block(section(1, []), section(2, two.keys)));
  const wide = block(Buffer.of(253, 2, 0, 1));
  await refused(meter, incomplete, /number of a security setup has 2 octets/, wide);
  const secret = block(section(1, one.keys), Buffer.of(5, 3, 34, 65, 66));
  await refused(meter, incomplete, /purpose 5 is no key of security setup 1/, secret);
  const counter = block(section(1, one.keys), Buffer.of(254, 4, 0, 0, 0, 9));
  await refused(meter, incomplete, /purpose 254 is no key of security setup 1/, counter);
  const turned = { ...meter, setups: [...(meter.setups ?? [])].reverse() };
  await refused(turned, incomplete, /1 is not named in its order/, block(section(1, one.keys), section(2, two.keys)));
  const named = (setups: unknown) => ({
    line: (text: string, line: number) => (line === 1 ? JSON.stringify({ ...JSON.parse(text), setups }) : text),
  });
  for (const wrong of [[], [{ setup: 0, check: [] }], [{ setup: 1, check: ["00"] }], [{ setup: 1 }], {}])
    await refused(meter, "shipment-malformed", /setups/, named(wrong));
});

test("keys of a further security setup do not come with a single meter that somebody adds by hand", async () => {
  const { systemTitle: title, keys } = withSetups();
  // In the order of their writing: 00 is no index, so that a second GUEK comes behind the number of the setup.
  const further = { 0: keys[0], 253: Uint8Array.of(1), "00": fresh()[0] } as unknown as Record<number, Uint8Array>;
  const sealed = sealMeterKeys(recipient.publicKeys, title, further);
  await assert.rejects(openSealedKeys(sealed, title, recipient), {
    code: "meter-keys-incomplete",
    message: /come in a shipment alone/,
  });
});

const publicKeysOf = ({ custody }: TestCustody) => custody.recipient;

/** A device as its maker ships it. */
const shipped = (meter: TestMeter, profile = "idis-p2"): ShippedTestMeter => ({
  systemTitle: meter.systemTitle,
  serialNumber: meter.serialNumber,
  profile,
  securitySuite: 0,
  keys: meter.factoryKeys,
  setups: meter.setups.slice(1).map(({ factoryKeys }, at) => ({ setup: at + 1, keys: factoryKeys })),
});

async function offered(custody: TestCustody, meters: readonly ShippedTestMeter[], options: TestShipmentOptions = {}) {
  const { service } = custody.custody;
  const lines = writeShipment(maker, publicKeysOf(custody), meters, options);
  const { upload } = await service.beginShipment({ utility: "stadtwerke", island: "mainland" }, HEAD_END);
  await service.shipmentChunk({ upload, bytes: fileOf(lines) }, HEAD_END);
  return service.commitShipment({ upload }, HEAD_END);
}

/** The keys in custody, by setup and purpose, as they open in their places. */
async function held(custody: TestCustody, title: string) {
  const file = await custody.store.load(title);
  assert.ok(file);
  const keys = file.keys.filter(({ purpose, sealed }) => purpose <= 3 && sealed.length > 0);
  const secrets = await custody.vault.unseal(
    keys.map((key) => ({ place: { ...key, systemTitle: fromHex(title) }, sealed: key.sealed })),
  );
  return keys.map((key, at) => ({ ...key, octets: secrets[at]?.lend(hex) }));
}

test("an import keeps the keys of each security setup in its place, and none that two of them share", () =>
  withTestCustody(
    async (custody) => {
      const meter = withSetups(1, 2);
      const outcome = await offered(custody, [meter]);
      assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
      const keys = await held(custody, meter.systemTitle);
      assert.deepEqual(
        keys.map(({ setup, purpose, version, state, octets }) => [setup, purpose, version, state, octets]),
        [{ setup: 0, keys: meter.keys }, ...(meter.setups ?? [])].flatMap((one) =>
          one.keys.map((key, purpose) => [one.setup, purpose, 1, "active", hex(key)]),
        ),
      );
      // A row that is moved to another setup opens nothing there.
      const [first] = keys as [(typeof keys)[0]];
      const moved = { ...first, setup: 1, systemTitle: fromHex(meter.systemTitle) };
      await assert.rejects(async () => custody.vault.unseal([{ place: moved, sealed: first.sealed }]), {
        code: "vault-record-not-authentic",
      });
      const { keys: described } = await custody.custody.service.describeKeys(
        { meter: systemTitle(fromHex(meter.systemTitle)) },
        HEAD_END,
      );
      assert.deepEqual(
        described.filter(({ purpose }) => purpose === "KEK").map(({ setup }) => setup),
        [undefined, 1, 2],
      );
      const [, other] = testMeters(2) as [ShippedTestMeter, ShippedTestMeter];
      const shared = [...fresh().slice(0, 3), other.keys[3] as Uint8Array];
      const again = await offered(custody, [{ ...other, setups: [{ setup: 1, keys: shared }] }]);
      assert.ok(again.kind === "refused" && again.code === "meter-key-shared", JSON.stringify(again));
      assert.match(again.message, /its security setups 0 and 1 share a key/);
      const foreign = (meter.setups ?? []).slice(0, 1);
      const stolen = await offered(custody, [{ ...other, setups: foreign }]);
      assert.ok(stolen.kind === "refused" && stolen.code === "meter-key-shared", JSON.stringify(stolen));
    },
    undefined,
    { manufacturers: [maker.trusted] },
  ));

test("a shipment without keys brings those of further security setups that follow from its maker's master", () =>
  withTestCustody(
    async (custody) => {
      const [id, master] = ["00112233445566778899aabbccddeeff", new Uint8Array(randomBytes(32))];
      const [plain] = testMeters(1) as [ShippedTestMeter];
      const derived = (where: string) =>
        ["GUEK", "GBEK", "GAK", "KEK"].map((purpose) => {
          const label = Buffer.from(`meterkeep-factory-1/${purpose}${where}`);
          const text = [Buffer.from("00000001", "hex"), label, Buffer.alloc(1), fromHex(plain.systemTitle)];
          const mac = createHmac("sha256", master).update(Buffer.concat([...text, Buffer.from("00000080", "hex")]));
          return new Uint8Array(mac.digest().subarray(0, 16));
        });
      const meter = { ...plain, keys: derived(""), setups: [{ setup: 1, keys: derived("/1") }] };
      const file = writeMaster(maker, publicKeysOf(custody), id, master);
      await custody.custody.service.takeFactoryMaster({ file }, OPERATOR);
      const wrong = { ...meter, setups: [{ setup: 1, keys: derived("") }] };
      const refusal = await offered(custody, [wrong], { master: id });
      assert.ok(refusal.kind === "refused" && refusal.code === "meter-check-value-wrong", JSON.stringify(refusal));
      const outcome = await offered(custody, [meter], { master: id });
      assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
      assert.deepEqual(
        (await held(custody, meter.systemTitle)).map(({ setup, octets }) => [setup, octets]),
        [...meter.keys.map((key) => [0, hex(key)]), ...derived("/1").map((key) => [1, hex(key)])],
      );
    },
    undefined,
    { manufacturers: [maker.trusted] },
  ));

function withUtility(name: string, flag: string, body: (one: TestUtility) => Promise<void>, store?: CustodyStore) {
  const trusted: TrustedManufacturer[] = [maker.trusted];
  return withTestCustody(
    async (custody) => body({ name, flag, custody, trusted, world: await AuthorityWorld.open(custody) }),
    store,
    { manufacturers: trusted },
  );
}

test("a meter that is sold and given back takes the keys of each of its security setups along", async () => {
  const title = systemTitle(fromHex("5453540000000601"));
  const there = (store?: CustodyStore) =>
    withUtility(
      "Old Utility",
      "OLD",
      (first) =>
        withUtility("New Utility", "NEW", async (second) => {
          const meter = new TestMeter({ systemTitle: "5453540000000601", secondSetup: true });
          const factory = meter.setups[1]?.factoryKeys.map(hex);
          const taken = async (by: TestUtility, file: Uint8Array) => {
            const outcome = await by.world.agreed(() => by.world.offer(file));
            assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
          };
          const lines = writeShipment(maker, publicKeysOf(first.custody), [shipped(meter)]);
          await taken(first, fileOf(lines));
          const { state } = await carryTakeover(first.custody, meter, { by: DEPOT });
          assert.deepEqual([state.verdict, state.grade], ["proven", "exposed"], "to hold its keys lifts nothing");
          await taken(second, await sold(title, first, second));
          const ofSecond = async ({ custody }: TestUtility) =>
            (await held(custody, meter.systemTitle))
              .filter(({ setup }) => setup === 1)
              .map(({ purpose, version, state: now, octets }) => [purpose, version, now, octets]);
          assert.deepEqual(
            await ofSecond(second),
            factory?.map((octets, purpose) => [purpose, 1, "active", octets]),
          );
          const elsewhere = meter.resold();
          assert.equal((await carryTakeover(second.custody, elsewhere, { by: DEPOT })).state.verdict, "proven");
          await taken(first, await sold(title, second, first, "returned"));
          assert.deepEqual(
            (await ofSecond(first)).sort(),
            (factory ?? [])
              .flatMap((octets, purpose) => [
                [purpose, 1, "deactivated", octets],
                [purpose, 2, "active", octets],
              ])
              .sort(),
          );
          // What a meter left behind is destroyed in time, of each setup.
          second.custody.now += 401 * DAY_MILLISECONDS;
          await second.custody.custody.sweep();
          assert.deepEqual(await held(second.custody, meter.systemTitle), []);
          await first.custody.restart();
          assert.equal((await carryTakeover(first.custody, elsewhere.resold(), { by: DEPOT })).state.verdict, "proven");
          const asked = { meter: title, person: undefined, from: undefined };
          const { exposures } = await first.world.service.exposure(asked, OPERATOR);
          const rows = (JSON.parse(exposures) as readonly Exposure[]).filter(({ form }) => form === "clear");
          const ofFirst = rows.find(({ keys }) => /^GUEK 1, .*KEK 1$/.test(keys));
          const further = rows.find(({ keys }) => /^GUEK 1, .*KEK 1 of security setup 1$/.test(keys));
          assert.ok(ofFirst?.until !== undefined, "the first setup's were replaced");
          assert.ok(further !== undefined && further.until === undefined, "nobody has replaced those of the second");
        }),
      store,
    );
  await there();
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => there(postgresCustodyStore(pool)));
});

test("a meter that comes back without the keys of a setup that it had is sold again without them, also when they are destroyed", () =>
  withUtility("Old Utility", "OLD", (first) =>
    withUtility("New Utility", "NEW", async (second) => {
      const meter = new TestMeter({ systemTitle: "5453540000000603", secondSetup: true });
      const title = systemTitle(fromHex(meter.systemTitle));
      const taken = async (by: TestUtility, file: Uint8Array) => {
        const outcome = await by.world.agreed(() => by.world.offer(file));
        assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
      };
      const takenOver = async ({ custody }: TestUtility, one: TestMeter) =>
        assert.equal((await carryTakeover(custody, one, { by: DEPOT })).state.verdict, "proven");
      await taken(first, fileOf(writeShipment(maker, publicKeysOf(first.custody), [shipped(meter)])));
      await takenOver(first, meter);
      await sold(title, first, second);
      first.custody.now += 401 * DAY_MILLISECONDS;
      await first.custody.custody.sweep();
      assert.deepEqual(await held(first.custody, meter.systemTitle), []);
      // Whoever has it now was told of one setup.
      const elsewhere = new TestMeter({ systemTitle: meter.systemTitle });
      const { setups: _none, ...single } = shipped(elsewhere);
      await taken(second, fileOf(writeShipment(maker, publicKeysOf(second.custody), [single])));
      await takenOver(second, elsewhere);
      await taken(first, await sold(title, second, first, "returned"));
      await takenOver(first, elsewhere.resold());
      const line = /"setups"/;
      assert.doesNotMatch(Buffer.from(await sold(title, first, second)).toString(), line);
      // What was lost on the way is made anew: its keys are used no more by then.
      assert.doesNotMatch(Buffer.from(await sold(title, first, second)).toString(), line);
    }),
  ));

test("a meter with a security setup that nothing opens is sold with what came for it, and given back", () =>
  withUtility("Old Utility", "OLD", (first) =>
    withUtility("New Utility", "NEW", async (second) => {
      const meter = new TestMeter({ systemTitle: "5453540000000604", secondSetup: true });
      const title = systemTitle(fromHex(meter.systemTitle));
      const wrong = fresh();
      const taken = async (by: TestUtility, file: Uint8Array) => {
        const outcome = await by.world.agreed(() => by.world.offer(file));
        assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
      };
      const ofSecond = async ({ custody }: TestUtility) =>
        (await held(custody, meter.systemTitle)).flatMap(({ setup, octets }) => (setup === 1 ? octets : []));
      const isUnknown = async ({ custody }: TestUtility) => {
        const file = await custody.store.load(meter.systemTitle);
        assert.ok(file);
        const { journal, record } = journalOf(file, 1);
        assert.deepEqual([journal.verdict, record?.closedAt], ["unknown", undefined]);
      };
      const one = { ...shipped(meter, "idis-p2-service"), setups: [{ setup: 1, keys: wrong }] };
      await taken(first, fileOf(writeShipment(maker, publicKeysOf(first.custody), [one])));
      assert.equal((await carryTakeover(first.custody, meter, { by: DEPOT })).state.verdict, "proven");
      await isUnknown(first);
      await taken(second, await sold(title, first, second));
      assert.deepEqual(await ofSecond(second), wrong.map(hex));
      const elsewhere = meter.resold();
      assert.equal((await carryTakeover(second.custody, elsewhere, { by: DEPOT })).state.verdict, "proven");
      await isUnknown(second);
      await taken(first, await sold(title, second, first, "returned"));
      await first.custody.restart();
      const { state } = await carryTakeover(first.custody, elsewhere.resold(), { by: DEPOT });
      assert.deepEqual([state.verdict, state.phase, state.grade], ["proven", "done", "exposed"]);
      await isUnknown(first);
    }),
  ));

for (const [what, profile, gone] of [
  ["a key of one security setup that nobody has taken over is", "idis-p2", "purpose = 2"],
  ["all keys of a security setup that was taken over are", "idis-p2-service", "purpose <= 3"],
] as const)
  test(`a meter of which ${what} gone does not leave with the others, and stays`, () =>
    withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool, adminUrl }) =>
      withUtility(
        "Old Utility",
        "OLD",
        async (first) => {
          const meter = new TestMeter({ systemTitle: "5453540000000602", secondSetup: true });
          const lines = writeShipment(maker, publicKeysOf(first.custody), [shipped(meter, profile)]);
          const outcome = await first.world.agreed(() => first.world.offer(fileOf(lines)));
          assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
          assert.equal((await carryTakeover(first.custody, meter, { by: DEPOT })).state.verdict, "proven");
          const title = fromHex(meter.systemTitle);
          const statement = `delete from meter_keys where system_title = $1 and setup = 1 and ${gone}`;
          const { rowCount } = await asOwner(adminUrl, (owner) => owner.query(statement, [title]));
          assert.ok((rowCount ?? 0) > 0);
          const to = { name: "New Utility", custody: first.custody, trusted: [] };
          await assert.rejects(sold(systemTitle(title), first, to), { code: "vault-key-unknown" });
          assert.equal((await first.custody.store.load(meter.systemTitle))?.meter.standing, undefined);
        },
        postgresCustodyStore(pool),
      ),
    ));
