import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { EMPTY_EDGE, edgeOf, growthOf } from "@meterkeep/ledger";
import { CustodyError } from "../errors.ts";
import { acceptedMark, counterMark, takeoverMark } from "../records/marks.ts";
import { GroupCommitter } from "../store/committer.ts";
import { PURPOSE, type SetupPlace, type StoredTakeover, type WindowRecord } from "../store/records.ts";
import type { CustodyStore, ReserveCounters, StagedMeter } from "../store/store.ts";
import { sampleEntry, sampleKey, sampleMeter, sampleShipment as shipment } from "./samples.ts";

const conflict = (error: unknown) => error instanceof CustodyError && error.code === "custody-write-conflict";

async function imported(store: CustodyStore, ...meters: readonly StagedMeter[]): Promise<SetupPlace> {
  const stage = await store.stageShipment();
  assert.deepEqual(await stage.add(meters), { conflict: undefined, setAside: [] });
  await stage.commit({ ...shipment, shipment: randomBytes(16).toString("hex") });
  return { ...(meters[0] as StagedMeter).meter, setup: 0 };
}

/** What every adapter of `CustodyStore` keeps to. */
export function custodyStoreContract(
  name: string,
  withStore: (body: (store: CustodyStore) => Promise<void>) => Promise<void>,
): void {
  const contract = (sentence: string, body: (store: CustodyStore) => Promise<void>) =>
    test(`${name}: ${sentence}`, () => withStore(body));

  contract("a meter comes back with everything that belongs to it", async (store) => {
    const sample = sampleMeter(1);
    const place = await imported(store, sample);
    const window = { ...placeOf(place), keyVersion: 1, highest: 77, seen: new Uint8Array(randomBytes(128)) };
    const takeover = takeoverOf(place);
    await store.commit([
      { kind: "put-windows", windows: [window] },
      { kind: "put-takeover", takeover },
    ]);
    assert.deepEqual(await store.load(sample.meter.systemTitle), {
      meter: sample.meter,
      keys: sample.keys,
      takeovers: [takeover],
      rotations: [],
      enrolments: [],
      enrolment: undefined,
      marks: [],
      windows: [window],
      accepted: [],
      history: [],
    });
    assert.equal(await store.load("5453540000009999"), undefined);
    assert.equal(await store.meterCount(), 1);
    assert.deepEqual(
      [await store.provenMeterCount(), await store.provenMeterSample(5)],
      [0, []],
      "nothing is proven yet",
    );
  });

  contract("of each window the ledger's newest mark comes back with the meter", async (store) => {
    const sample = sampleMeter(1);
    const place = placeOf(await imported(store, sample));
    const window = { ...place, seen: new Uint8Array(128) };
    const marks = [
      acceptedMark({ ...window, keyVersion: 1, highest: 7 }, new Uint8Array(32), 1000),
      acceptedMark({ ...window, keyVersion: 2, highest: 9 }, new Uint8Array(32), 1001),
      acceptedMark({ ...window, keyVersion: 1, highest: 71 }, new Uint8Array(32), 1002),
    ];
    await store.commit([], growthOf(await edgeOf(store.ledger), marks));
    const mac = "00".repeat(32);
    assert.deepEqual((await store.load(sample.meter.systemTitle))?.accepted, [
      { setup: 0, keyVersion: 1, highest: 71, mac, at: 1002 },
      { setup: 0, keyVersion: 2, highest: 9, mac, at: 1001 },
    ]);
  });

  contract("a stage that is dropped leaves nothing, and one that is committed is whole", async (store) => {
    const stage = await store.stageShipment();
    await stage.add([sampleMeter(1), sampleMeter(2)]);
    await stage.drop();
    assert.equal(await store.meterCount(), 0);
    const again = await store.stageShipment();
    await again.add([sampleMeter(1)]);
    await again.add([sampleMeter(2), sampleMeter(3)]);
    await again.commit(shipment);
    await again.drop();
    const of = { utility: "stadtwerke", island: "mainland", shipment: shipment.shipment };
    assert.deepEqual(
      (await store.shipmentMeters(of, 1, 1)).map(({ serialNumber }) => serialNumber),
      ["2"],
    );
    assert.deepEqual((await store.shipmentMeters({ ...of, island: "other" }, 0, 9)).length, 0);
    const pages = await store.loadPage([], "5453540000000001", 10);
    assert.deepEqual(
      pages.map(({ meter }) => meter.serialNumber),
      ["2", "3"],
    );
  });

  contract("a shipment is imported once", async (store) => {
    for (const [number, outcome] of [
      [1, true],
      [2, false],
    ] as const) {
      const stage = await store.stageShipment();
      assert.equal(await stage.knows(shipment.manufacturerKey, shipment.shipment), !outcome);
      await stage.add([sampleMeter(number)]);
      if (outcome) await stage.commit(shipment);
      else await assert.rejects(stage.commit(shipment), conflict);
      await stage.drop();
    }
    assert.equal(await store.meterCount(), 1);
  });

  contract("a system title is in custody once, whatever the tenant", async (store) => {
    await imported(store, sampleMeter(1));
    const stage = await store.stageShipment();
    const elsewhere = sampleMeter(1, { utility: "other", island: "isle", shipment: { id: "ff".repeat(16), line: 1 } });
    assert.deepEqual((await stage.add([sampleMeter(5), elsewhere])).conflict, {
      systemTitle: "5453540000000001",
      problem: "in-custody",
    });
    await stage.drop();
  });

  contract("a system title that stands twice in a file is named", async (store) => {
    const twice = await store.stageShipment();
    const again = sampleMeter(2, { shipment: { id: shipment.shipment, line: 9 } });
    assert.deepEqual((await twice.add([sampleMeter(1), sampleMeter(2), again])).conflict, {
      systemTitle: "5453540000000002",
      problem: "in-file",
    });
    await twice.drop();
    const later = await store.stageShipment();
    assert.equal((await later.add([sampleMeter(2)])).conflict, undefined);
    assert.equal((await later.add([again])).conflict?.problem, "in-file");
    await later.drop();
  });

  contract("two meters cannot share a key, in one file or across imports", async (store) => {
    const first = sampleMeter(1);
    const shared = { ...sampleMeter(2), checkValues: [randomBytes(32), first.checkValues[1] as Uint8Array] };
    const stage = await store.stageShipment();
    assert.deepEqual((await stage.add([first, shared])).conflict, {
      systemTitle: "5453540000000002",
      problem: "key-shared",
    });
    await stage.drop();
    const place = await imported(store, first);
    const later = await store.stageShipment();
    assert.equal((await later.add([shared])).conflict?.problem, "key-shared");
    await later.drop();
    const other = await imported(store, sampleMeter(3));
    const key = sampleKey({ ...first.meter, ...other }, PURPOSE.GUEK, { version: 2, state: "pre-activation" });
    const add = { kind: "add-keys", keys: [key], checkValues: first.checkValues.slice(0, 1) } as const;
    await assert.rejects(store.commit([add]), conflict);
    assert.equal((await store.load(place.systemTitle))?.keys.length, 4);
  });

  contract(
    "counters are reserved above every one of the setup, whatever the key version, or not at all",
    async (store) => {
      const place = await imported(store, sampleMeter(1));
      await store.commit([reserve(place, 1, 256, 64)]);
      await store.commit([reserve(place, 2, 320, 10), reserve(place, 1, 330, 5), reserve(place, 1, 335, 1)]);
      // The counters of version 2 stand at 330, those of version 1 at 336: both are judged by the higher.
      await assert.rejects(store.commit([reserve(place, 2, 335, 5)]), conflict);
      await assert.rejects(store.commit([reserve(place, 1, 335, 5)]), conflict);
      await store.commit([reserve(place, 1, 5000, 1)]);
      const { counters, mark } = await store.counterLine(place);
      assert.deepEqual(counters.map(({ keyVersion, next, mac }) => [keyVersion, next, mac?.[0]]).sort(), [
        [1, 5001, 1],
        [2, 330, 2],
      ]);
      assert.equal(mark, undefined);
      const other = { ...place, setup: 1 };
      await store.commit([reserve(other, 1, 1, 1)]);
      assert.deepEqual((await store.counterLine(other)).counters.length, 1);
    },
  );

  contract("a counter line ends before it wraps", async (store) => {
    const place = await imported(store, sampleMeter(1));
    await store.commit([reserve(place, 1, 0xffffffff - 64, 64)]);
    await assert.rejects(store.commit([reserve(place, 1, 0xffffffff, 1)]), { code: "counter-line-exhausted" });
  });

  contract("the ledger's newest mark of a setup comes with what it marks", async (store) => {
    const place = await imported(store, sampleMeter(1));
    const takeover = takeoverOf(place);
    const counter = reserve(place, 1, 256, 64).counter;
    const drafts = [
      counterMark(counter, 1),
      takeoverMark({ ...takeover, revision: 1 }, 1),
      takeoverMark({ ...takeover, setup: 1, revision: 4 }, 1),
      takeoverMark({ ...takeover, revision: 2 }, 1),
      counterMark({ ...counter, setup: 1, next: 999 }, 1),
      counterMark({ ...counter, next: 400 }, 1),
    ];
    await store.commit([], growthOf(EMPTY_EDGE, drafts));
    const mac = "01".repeat(32);
    assert.deepEqual((await store.counterLine(place)).mark, { setup: 0, keyVersion: 1, next: 400, mac });
    const marks = (await store.load(place.systemTitle))?.marks ?? [];
    assert.deepEqual(marks.map(({ setup, revision }) => [setup, revision]).sort(), [
      [0, 2],
      [1, 4],
    ]);
  });

  contract("a row whose MAC somebody took off is given out without one, and windows never go back", async (store) => {
    const place = await imported(store, sampleMeter(1));
    const takeover = { ...takeoverOf(place), mac: undefined };
    const { counter, ...rest } = reserve(place, 1, 256, 64);
    await store.commit([
      { ...rest, counter: { ...counter, mac: undefined } },
      { kind: "put-takeover", takeover },
    ]);
    const window = { ...placeOf(place), keyVersion: 1, highest: 40, seen: new Uint8Array(128) };
    await store.commit([{ kind: "put-windows", windows: [window] }]);
    const file = await store.load(place.systemTitle);
    assert.deepEqual([file?.takeovers, file?.meter, file?.windows], [[takeover], sampleMeter(1).meter, [window]]);
    assert.deepEqual((await store.counterLine(place)).counters, [{ ...counter, mac: undefined }]);
    // Two batches may pass each other on their way.
    await store.commit([{ kind: "put-windows", windows: [{ ...window, highest: 39 }] }]);
    assert.deepEqual((await store.load(place.systemTitle))?.windows, [window]);
  });

  contract("of windows of one place in one commit the one that has gone furthest is kept", async (store) => {
    const place = placeOf(await imported(store, sampleMeter(1)));
    const window = (keyVersion: number, highest: number, seen: number) => ({
      ...{ ...place, keyVersion, highest, seen: new Uint8Array(128).fill(seen) },
      mac: new Uint8Array(32),
    });
    const put = (...windows: readonly WindowRecord[]) => ({ kind: "put-windows", windows }) as const;
    await store.commit([put(window(1, 164, 1), window(2, 7, 1)), put(window(1, 100, 2)), put(window(2, 7, 3))]);
    const kept = (await store.load(place.systemTitle))?.windows ?? [];
    // Of those that have gone equally far the last, which has seen more.
    assert.deepEqual(kept.map(({ keyVersion, highest, seen }) => [keyVersion, highest, seen[0]]).sort(), [
      [1, 164, 1],
      [2, 7, 3],
    ]);
  });

  contract(
    "what was added by hand stands aside for what is signed, by its title or by one of its keys",
    async (store) => {
      const added = { origin: "added", shipment: undefined, utility: "other" } as const;
      const [first, second, third] = [1, 2, 3].map((number) => sampleMeter(number, added)) as [
        StagedMeter,
        StagedMeter,
        StagedMeter,
      ];
      for (const meter of [first, second, third]) await store.commit([{ kind: "add-meter", ...meter }]);
      const window = { ...placeOf({ ...first.meter, setup: 0 }), keyVersion: 1, highest: 9, seen: new Uint8Array(128) };
      await store.commit([{ kind: "put-windows", windows: [window] }]);
      const stage = await store.stageShipment();
      const sameTitle = sampleMeter(1);
      const sameKey = { ...sampleMeter(7), checkValues: [second.checkValues[0] as Uint8Array] };
      const { conflict: none, setAside } = await stage.add([sameTitle, sameKey]);
      assert.deepEqual([none, [...setAside].sort()], [undefined, [first.meter.systemTitle, second.meter.systemTitle]]);
      await stage.commit(shipment);
      const file = await store.load(first.meter.systemTitle);
      assert.deepEqual([file?.meter, file?.keys, file?.windows], [sameTitle.meter, sameTitle.keys, []]);
      assert.equal(await store.load(second.meter.systemTitle), undefined);
      assert.equal((await store.load(third.meter.systemTitle))?.meter.origin, "added");
      const later = await store.stageShipment();
      assert.equal((await later.add([sampleMeter(1, added)])).conflict?.problem, "in-custody");
      await later.drop();
    },
  );

  contract("a purpose has one active key, and its successor takes its place in one commit", async (store) => {
    const sample = sampleMeter(1);
    const place = await imported(store, sample);
    const next = sampleKey(sample.meter, PURPOSE.GUEK, { version: 2, state: "pre-activation", origin: "generated" });
    await store.commit([{ kind: "add-keys", keys: [next], checkValues: [randomBytes(32)] }]);
    const set = (version: number, state: "active" | "deactivated", provenAt?: number) =>
      ({ kind: "set-key-state", at: 5, place, purpose: PURPOSE.GUEK, version, state, provenAt }) as const;
    await assert.rejects(store.commit([set(2, "active")]), conflict);
    await store.commit([set(1, "deactivated"), set(2, "active", 1_795_000_000_123)]);
    const keys = (await store.load(place.systemTitle))?.keys.filter(({ purpose }) => purpose === PURPOSE.GUEK);
    assert.deepEqual(
      keys?.map(({ version, state, provenAt }) => [version, state, provenAt]),
      [
        [1, "deactivated", undefined],
        [2, "active", 1_795_000_000_123],
      ],
    );
    await assert.rejects(store.commit([set(9, "deactivated")]), conflict);
    await assert.rejects(store.commit([set(2, "active", 5), set(2, "active", 6)]), conflict, "once in a commit");
  });

  contract(
    "a takeover's journal moves on from the revision that was seen, and one is open at a time",
    async (store) => {
      const place = await imported(store, sampleMeter(1));
      const put = (change: Partial<StoredTakeover>) =>
        store.commit([{ kind: "put-takeover", takeover: { ...takeoverOf(place), ...change } }]);
      await put({});
      await put({ revision: 2, journal: '{"step":2}' });
      await assert.rejects(put({ revision: 2, journal: "{}" }), conflict);
      await assert.rejects(put({ revision: 4, journal: "{}" }), conflict);
      await assert.rejects(put({ takeover: 2 }), conflict);
      await put({ revision: 3, journal: '{"step":3}', closedAt: 1_795_000_000_009 });
      await put({ takeover: 2 });
      assert.deepEqual(
        (await store.load(place.systemTitle))?.takeovers.map(({ takeover, revision }) => [takeover, revision]),
        [[2, 1]],
      );
    },
  );

  contract("a commit is whole or not at all", async (store) => {
    const place = await imported(store, sampleMeter(1));
    const growth = growthOf(EMPTY_EDGE, [sampleEntry("a")]);
    const bad = { kind: "set-key-state", at: 5, place, purpose: PURPOSE.KEK, version: 7, state: "active" } as const;
    await assert.rejects(store.commit([reserve(place, 1, 1, 1), bad], growth));
    assert.equal(await store.ledger.size(), 0);
    await store.commit([reserve(place, 1, 1, 1)], growth);
    assert.deepEqual(await store.ledger.read(0, 5), growth.entries);
  });

  contract("in a group the one that is refused fails alone", async (store) => {
    const place = await imported(store, sampleMeter(1));
    const committer = new GroupCommitter(store);
    const bad = { kind: "set-key-state", at: 5, place, purpose: PURPOSE.KEK, version: 7, state: "active" } as const;
    const outcomes = await Promise.allSettled([
      committer.submit({ writes: [reserve(place, 1, 1, 10)], entries: [sampleEntry("one"), sampleEntry("two")] }),
      committer.submit({ writes: [reserve(place, 1, 11, 10), bad], entries: [sampleEntry("never")] }),
      committer.submit({ writes: [reserve(place, 1, 11, 10)], entries: [sampleEntry("three")] }),
    ]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    assert.deepEqual(
      (await store.ledger.read(0, 9)).map(({ kind }) => kind),
      ["one", "two", "three"],
    );
    await committer.close();
    await assert.rejects(committer.submit({}), { code: "custody-closed" });
  });

  contract("what can wait shares the commit of what cannot", async (store) => {
    let commits = 0;
    const counting: Pick<CustodyStore, "commit" | "ledger"> = {
      ledger: store.ledger,
      commit: (...change) => {
        commits += 1;
        return store.commit(...change);
      },
    };
    // It is never enough: only what cannot wait, or the end, makes it go on.
    const committer = new GroupCommitter(counting, { gather: () => () => undefined });
    const patient = ["one", "two"].map((kind) => committer.submit({ entries: [sampleEntry(kind)], canWait: true }));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(commits, 0);
    await committer.submit({ entries: [sampleEntry("three")] });
    await Promise.all(patient);
    assert.equal(commits, 1);
    const last = committer.submit({ entries: [sampleEntry("four")], canWait: true });
    await committer.close();
    await last;
    assert.deepEqual(
      (await store.ledger.read(0, 9)).map(({ kind }) => kind),
      ["one", "two", "three", "four"],
    );
  });

  contract("meters that are asked for at once are each their own", async (store) => {
    const [one, two] = [await imported(store, sampleMeter(1)), await imported(store, sampleMeter(2))];
    const titles = [two.systemTitle, "4D544B00000000FF", one.systemTitle, two.systemTitle.toLowerCase()];
    const files = await Promise.all(titles.map((title) => store.load(title)));
    assert.deepEqual(
      files.map((file) => file?.meter.systemTitle),
      [two.systemTitle, undefined, one.systemTitle, two.systemTitle],
    );
  });

  contract("the installation's secrets and vault keys are stored once", async (store) => {
    const key = { utility: "u", island: "i", version: 1, sealed: new Uint8Array([1]) };
    await store.vaultKeys.insert(key);
    const second = await store.vaultKeys.insert({ ...key, sealed: new Uint8Array([2]) });
    assert.deepEqual(new Uint8Array(second.sealed), key.sealed);
    assert.equal((await store.vaultKeys.find("u", "i")).length, 1);
    assert.equal((await store.vaultKeys.find("u", "j")).length, 0);
    const root = { kind: "file", parameters: "", proof: Uint8Array.of(5), createdAt: 3 } as const;
    assert.equal(await store.installation.root(), undefined);
    await store.installation.insertRoot(root);
    const kept = await store.installation.insertRoot({ ...root, kind: "passphrase" });
    assert.equal(kept.kind, "file");
    await store.installation.insertNamedSecret("recipient", Uint8Array.of(1));
    const secret = await store.installation.insertNamedSecret("recipient", Uint8Array.of(2));
    assert.deepEqual([...secret], [1]);
  });
}

function placeOf({ utility, island, systemTitle, setup }: SetupPlace): SetupPlace {
  return { utility, island, systemTitle, setup };
}

function reserve(place: SetupPlace, keyVersion: number, from: number, count: number): ReserveCounters {
  const counter = { ...placeOf(place), keyVersion, next: from + count, mac: new Uint8Array(32).fill(keyVersion) };
  return { kind: "reserve-counters", from, counter };
}

function takeoverOf(place: SetupPlace): StoredTakeover {
  return {
    ...placeOf(place),
    takeover: 1,
    revision: 1,
    journal: '{"step":"ü"}',
    openedAt: 1_795_000_000_001,
    closedAt: undefined,
    mac: new Uint8Array(32).fill(7),
  };
}
