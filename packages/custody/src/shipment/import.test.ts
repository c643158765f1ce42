import assert from "node:assert/strict";
import { test } from "node:test";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { EntryBursts } from "../evidence/entry-bursts.ts";
import { FIRST_COUNTER, SendCounters } from "../protocol/send-counters.ts";
import { CheckedFiles } from "../records/checked-files.ts";
import { GroupCommitter } from "../store/committer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import {
  fileOf,
  sealMeterKeys,
  type TestMeter,
  testManufacturer,
  testMeters,
  writeShipment,
} from "../testing/shipment-writer.ts";
import { testRecipient } from "../testing/test-recipient.ts";
import { freshRootKeys, RootKeyRing } from "../vault/root-keys.ts";
import { softwareVault } from "../vault/software-vault.ts";
import { addSingleMeter } from "./added-meter.ts";
import { type ImportDependencies, importShipment } from "./import.ts";
import { ShipmentRefusal } from "./refusal.ts";

const maker = testManufacturer();
const recipient = testRecipient();
const place = { utility: "stadtwerke", island: "mainland", principal: "head-end" };

type TestImport = ImportDependencies & { readonly store: CustodyStore; readonly forgotten: string[] };

function withCustody(body: (custody: TestImport) => Promise<void>) {
  return withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool }) => {
    const store = postgresCustodyStore(pool);
    const vault = softwareVault(new RootKeyRing(freshRootKeys()), store.vaultKeys);
    const trust = { manufacturers: [maker.trusted], recipient };
    const [committer, now] = [new GroupCommitter(store), () => 1_795_000_000_000];
    const forgotten: string[] = [];
    const forget = (title: string) => void forgotten.push(title);
    const files = new CheckedFiles(store, vault, new EntryBursts(committer, now), now);
    await body({
      store,
      files,
      committer,
      bursts: new EntryBursts(committer, now),
      vault,
      masters: { stateOf: async () => undefined },
      trust,
      now,
      forget,
      forgotten,
    });
  });
}

const file = (meters: readonly TestMeter[], shipment?: Uint8Array) => [
  fileOf(writeShipment(maker, recipient.publicKeys, meters, shipment === undefined ? {} : { shipment })),
];

const keysOf = ({ systemTitle, keys }: TestMeter) => sealMeterKeys(recipient.publicKeys, systemTitle, { ...keys });

const refusal = (code: string, line: number, systemTitle?: string) => (error: unknown) => {
  assert.ok(error instanceof ShipmentRefusal, String(error));
  assert.deepEqual([error.code, error.line, error.systemTitle], [code, line, systemTitle], error.message);
  return true;
};

const kinds = async (store: CustodyStore) => (await store.ledger.read(0, 100)).map(({ kind }) => kind);

test("a meter that somebody added by hand cannot keep a signed shipment out, by its title or by one of its keys", () =>
  withCustody(async (custody) => {
    const meters = testMeters(3);
    const [sameTitle, keyThief] = [testMeters(1)[0], meters[1]] as [TestMeter, TestMeter];
    const other = { ...place, utility: "nobody" };
    await addSingleMeter(custody, other, sameTitle.systemTitle, keysOf(sameTitle));
    const thief = { ...keyThief, systemTitle: "4D4B4600000000FF" };
    await addSingleMeter(custody, place, thief.systemTitle, keysOf(thief));
    const { count } = await importShipment(custody, place, file(meters));
    assert.equal(count, 3);
    const aside = (await custody.store.ledger.read(0, 100)).filter(({ kind }) => kind === "unsigned-meter-set-aside");
    const titles = [sameTitle.systemTitle, thief.systemTitle].sort();
    assert.deepEqual(aside.map(({ meter }) => meter).sort(), titles);
    assert.deepEqual([...custody.forgotten].sort(), titles);
    const { meter, keys } = (await custody.store.load(sameTitle.systemTitle)) ?? {};
    assert.deepEqual([meter?.origin, meter?.utility], ["shipped", place.utility]);
    const systemTitle = Buffer.from(sameTitle.systemTitle, "hex");
    await custody.vault.unseal((keys ?? []).map((key) => ({ place: { ...key, systemTitle }, sealed: key.sealed })));
    assert.equal(await custody.store.load(thief.systemTitle), undefined);
    await assert.rejects(
      addSingleMeter(custody, place, sameTitle.systemTitle, keysOf(sameTitle)),
      refusal("meter-already-in-custody", 0, sameTitle.systemTitle),
    );
  }));

test("what memory has of a meter that stands aside is forgotten, also where nobody hears that the shipment was committed", () =>
  withCustody(async (custody) => {
    const [meter] = testMeters(1) as [TestMeter];
    await addSingleMeter(custody, place, meter.systemTitle, keysOf(meter));
    const stageShipment = async () => {
      const stage = await custody.store.stageShipment();
      const commit: typeof stage.commit = async (shipment) => {
        await stage.commit(shipment);
        throw new Error("the connection is lost");
      };
      return { ...stage, commit };
    };
    await assert.rejects(importShipment({ ...custody, store: { stageShipment } }, place, file([meter])), /is lost/);
    assert.equal((await custody.store.load(meter.systemTitle))?.meter.origin, "shipped");
    assert.deepEqual(custody.forgotten, [meter.systemTitle]);
  }));

test("an import brings every meter with its keys, and the ledger has it before it is done", () =>
  withCustody(async (custody) => {
    const meters = testMeters(600);
    const asked: string[] = [];
    const counted: typeof recipient = {
      publicKeys: recipient.publicKeys,
      shipmentContentKey: (...args) => {
        asked.push("shipment");
        return recipient.shipmentContentKey(...args);
      },
      meterContentKey: (...args) => {
        asked.push("meter");
        return recipient.meterContentKey(...args);
      },
    };
    const trust = { ...custody.trust, recipient: counted };
    const imported = await importShipment({ ...custody, trust }, place, file(meters));
    assert.deepEqual([imported.count, imported.warnings.length], [600, 0]);
    // What a token of the vault is asked for once a file, not once a meter.
    assert.deepEqual(asked, ["shipment"]);
    assert.equal(await custody.store.meterCount(), 600);
    assert.deepEqual(await kinds(custody.store), ["shipment-accepted", "shipment-imported"]);
    const last = meters.at(-1) as TestMeter;
    const stored = await custody.store.load(last.systemTitle);
    assert.deepEqual(stored?.meter.shipment, { id: imported.shipment, line: 600 });
    const systemTitle = Buffer.from(last.systemTitle, "hex");
    const keys = await custody.vault.unseal(
      (stored?.keys ?? []).map((key) => ({ place: { ...key, systemTitle }, sealed: key.sealed })),
    );
    assert.deepEqual(
      keys.map((key) => key.lend((octets) => Buffer.from(octets).toString("hex"))),
      last.keys.map((key) => Buffer.from(key).toString("hex")),
    );
  }));

test("a shipment is imported once, under whatever tenant", () =>
  withCustody(async (custody) => {
    const octets = file(testMeters(2));
    await importShipment(custody, place, octets);
    const elsewhere = { ...place, utility: "other" };
    await assert.rejects(importShipment(custody, elsewhere, octets), refusal("shipment-already-imported", 0));
    const id = new Uint8Array(16).fill(7);
    await importShipment(custody, place, file(testMeters(1, 50), id));
    await assert.rejects(
      importShipment(custody, place, file(testMeters(1, 60), id)),
      refusal("shipment-already-imported", 0),
    );
    assert.equal(await custody.store.meterCount(), 3);
  }));

test("a meter that is in custody refuses the whole file, with its line", () =>
  withCustody(async (custody) => {
    await importShipment(custody, place, file(testMeters(1, 300)));
    await assert.rejects(
      importShipment(custody, place, file(testMeters(600))),
      refusal("meter-already-in-custody", 300, testMeters(1, 300)[0]?.systemTitle),
    );
    assert.equal(await custody.store.meterCount(), 1);
    const entries = await custody.store.ledger.read(2, 10);
    assert.deepEqual(
      entries.map(({ kind, meter }) => [kind, meter]),
      [["shipment-refused", testMeters(1, 300)[0]?.systemTitle]],
    );
  }));

test("a system title that stands twice in a file refuses it, near or far apart", () =>
  withCustody(async (custody) => {
    for (const [count, at] of [
      [10, 7],
      [600, 550],
    ] as const) {
      const meters = testMeters(count);
      const twice = meters.with(at - 1, {
        ...(meters[at - 1] as TestMeter),
        systemTitle: meters[1]?.systemTitle as string,
      });
      await assert.rejects(
        importShipment(custody, place, file(twice)),
        refusal("meter-duplicate-in-file", at, meters[1]?.systemTitle),
      );
    }
    assert.equal(await custody.store.meterCount(), 0);
  }));

test("two meters that share a unicast, authentication or master key refuse the file; the broadcast key may be shared", () =>
  withCustody(async (custody) => {
    const sharing = (purpose: number, from: number) => {
      const meters = testMeters(5, from);
      const [second, fourth] = [meters[1] as TestMeter, meters[3] as TestMeter];
      return meters.with(3, { ...fourth, keys: fourth.keys.with(purpose, second.keys[purpose] as Uint8Array) });
    };
    for (const purpose of [0, 2, 3])
      await assert.rejects(
        importShipment(custody, place, file(sharing(purpose, 1))),
        refusal("meter-key-shared", 4, "5453540000000004"),
      );
    await importShipment(custody, place, file(sharing(1, 1)));
    const [known] = testMeters(1, 900) as [TestMeter];
    await importShipment(custody, place, file([known]));
    const [fresh] = testMeters(1, 901) as [TestMeter];
    await assert.rejects(
      importShipment(custody, place, file([{ ...fresh, keys: fresh.keys.with(2, known.keys[2] as Uint8Array) }])),
      refusal("meter-key-shared", 1, fresh.systemTitle),
      "across imports",
    );
  }));

test("weak keys are imported and named", () =>
  withCustody(async (custody) => {
    const weak = [
      new Uint8Array(16),
      Uint8Array.from({ length: 16 }, (_, at) => at),
      Uint8Array.from({ length: 16 }, (_, at) => 0xd0 + at),
      Buffer.from("AnthraciteMeters"),
    ];
    const [meter] = testMeters(1) as [TestMeter];
    const { warnings } = await importShipment(custody, place, file([{ ...meter, keys: weak }]));
    assert.deepEqual(
      warnings.map(({ purpose }) => purpose),
      ["GUEK", "GBEK", "GAK", "KEK"],
    );
    for (const { message } of warnings) assert.doesNotMatch(message, /[0-9a-f]{8}/i);
  }));

test("the sealed keys of one meter are taken into custody, for that meter only", () =>
  withCustody(async (custody) => {
    const keys = {
      0: new Uint8Array(16).map((_, at) => at * at * 17 + 3),
      2: new Uint8Array(16).map((_, at) => at * at * 31 + 5),
    };
    const sealed = sealMeterKeys(recipient.publicKeys, "4B464D1020012345", keys);
    await assert.rejects(
      addSingleMeter(custody, place, "4B464D1020012346", sealed),
      refusal("meter-keys-not-authentic", 0, "4B464D1020012346"),
    );
    assert.deepEqual(await addSingleMeter(custody, place, "4B464D1020012345", sealed), []);
    await assert.rejects(
      addSingleMeter(custody, place, "4B464D1020012345", sealed),
      refusal("meter-already-in-custody", 0, "4B464D1020012345"),
    );
    const stored = await custody.store.load("4B464D1020012345");
    assert.deepEqual(
      stored?.keys.map(({ purpose, origin }) => [purpose, origin]),
      [
        [0, "imported"],
        [2, "imported"],
      ],
    );
    assert.deepEqual(await kinds(custody.store), ["meter-refused", "meter-added", "meter-refused"]);
  }));

test("what is wrong with sealed keys is said, whatever it is", () =>
  withCustody(async (custody) => {
    const title = "4B464D1020012345";
    const key = new Uint8Array(16).map((_, at) => at * 41 + 7);
    const add = (sealed: string) => addSingleMeter(custody, place, title, sealed);
    const seal = (keys: Record<number, Uint8Array>, change = {}) =>
      sealMeterKeys(recipient.publicKeys, title, keys, change);
    await assert.rejects(add("{"), refusal("shipment-malformed", 0, title));
    await assert.rejects(add(seal({ 0: key }, { alg: "none" })), refusal("shipment-malformed", 0, title));
    await assert.rejects(
      add(seal({ 0: key }, { recipient: "0".repeat(64) })),
      refusal("shipment-recipient-wrong", 0, title),
    );
    await assert.rejects(add(seal({ 0: key }, { nonce: "AAAA" })), refusal("meter-keys-not-authentic", 0, title));
    await assert.rejects(add(seal({ 0: key }, { epk: "AAAA" })), refusal("meter-keys-not-authentic", 0, title));
    await assert.rejects(add(seal({ 2: key })), refusal("meter-keys-incomplete", 0, title));
    await assert.rejects(add(seal({ 0: key.subarray(0, 15) })), refusal("meter-keys-incomplete", 0, title));
    await assert.rejects(add(seal({ 0: key, 2: new Uint8Array(32) })), refusal("meter-keys-incomplete", 0, title));
    assert.equal(await custody.store.meterCount(), 0);
  }));

test("an import that dies at any step, before or after it, has imported nothing or all, and is given the file again", () =>
  withCustody(async (custody) => {
    const meters = testMeters(1200);
    const chunks = file(meters);
    let [reached, step] = [true, 0];
    for (; reached; step += 1)
      for (const when of ["before", "after"] as const) {
        reached = false;
        const dying = dyingAt(custody.store, step, when, () => {
          reached = true;
        });
        const ended = await importShipment({ ...custody, store: dying }, place, chunks).then(
          () => "imported",
          (error: unknown) => (error instanceof ShipmentRefusal ? error.code : "died"),
        );
        const count = await custody.store.meterCount();
        assert.ok(count === 0 || count === meters.length, `${count} meters after a death ${when} step ${step}`);
        if (count === meters.length)
          assert.ok(["died", "imported", "shipment-already-imported"].includes(ended), ended);
        else assert.equal(ended, "died");
      }
    assert.ok(step > 4, `${step} steps`);
    assert.equal(await custody.store.meterCount(), meters.length);
    await assert.rejects(importShipment(custody, place, chunks), refusal("shipment-already-imported", 0));
  }));

/** A store whose process dies at a step of an import: what was under way is rolled back as PostgreSQL does it. */
function dyingAt(
  store: CustodyStore,
  at: number,
  when: "before" | "after",
  onDeath: () => void,
): Pick<CustodyStore, "stageShipment"> {
  let step = 0;
  const mortal = async <T>(body: () => Promise<T>): Promise<T> => {
    const here = step === at;
    step += 1;
    if (here && when === "before") {
      onDeath();
      throw new Error("the process died");
    }
    const value = await body();
    if (!here) return value;
    onDeath();
    throw new Error("the process died");
  };
  return {
    stageShipment: async () => {
      const stage = await store.stageShipment();
      return {
        knows: (key, shipment) => mortal(() => stage.knows(key, shipment)),
        left: (titles) => stage.left(titles),
        add: (meters) => mortal(() => stage.add(meters)),
        commit: (shipment) => mortal(() => stage.commit(shipment)),
        drop: () => stage.drop(),
      };
    },
  };
}

test("counters of a meter that was in service elsewhere begin above the highest that was used there", () =>
  withCustody(async (custody) => {
    const used = 1_000_000;
    const entry = Buffer.from([254, 4, 0, 0, 0, 0]);
    entry.writeUInt32BE(used, 2);
    const lines = writeShipment(maker, recipient.publicKeys, testMeters(2), {
      header: { kind: "fleet" },
      block: (block, line) => (line === 1 ? Buffer.concat([block, entry]) : block),
    });
    await importShipment(custody, place, [fileOf(lines)]);
    const first = async (title: string) => {
      const sendCounters = new SendCounters({ ...custody, files: custody.store });
      return sendCounters.take({ ...place, systemTitle: title, setup: 0 }, 1, 1);
    };
    const [one, two] = testMeters(2) as [TestMeter, TestMeter];
    assert.equal(await first(one.systemTitle), used + 1);
    assert.equal(await first(two.systemTitle), FIRST_COUNTER);
    assert.ok((await first(one.systemTitle)) > used + 1, "none is given out twice, whatever process asks");
  }));

test("a meter without its master is kept as one that somebody added: it is never taken over", () =>
  withCustody(async (custody) => {
    const lines = writeShipment(maker, recipient.publicKeys, testMeters(1), {
      header: { kind: "fleet" },
      block: (block) => Buffer.concat([block.subarray(0, 18), block.subarray(36, 54)]),
      check: (check) => [check[0] as string, check[2] as string],
    });
    await importShipment(custody, place, [fileOf(lines)]);
    const stored = await custody.store.load(testMeters(1)[0]?.systemTitle as string);
    assert.equal(stored?.meter.origin, "added");
    assert.deepEqual(
      stored?.keys.map(({ purpose }) => purpose),
      [0, 2],
    );
  }));
