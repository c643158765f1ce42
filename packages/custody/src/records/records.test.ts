import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { MeterFile, StoredCounter, StoredTakeover } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const [FIRST, SECOND] = ["5453540000000007", "5453540000000008"] as const;

/** What somebody who can write to the database makes of it. */
interface Tampering {
  takeover?: (record: StoredTakeover) => StoredTakeover | undefined;
  marks?: (file: MeterFile) => MeterFile["marks"];
  counter?: (record: StoredCounter) => StoredCounter;
  counterMark?: "dropped";
  meter?: (record: MeterFile["meter"]) => MeterFile["meter"];
}

async function withTampering(body: (custody: TestCustody, tampering: Tampering) => Promise<void>): Promise<void> {
  const store = memoryCustodyStore();
  const tampering: Tampering = {};
  const altered = (file: MeterFile): MeterFile => ({
    ...file,
    meter: (tampering.meter ?? ((same) => same))(file.meter),
    takeovers: file.takeovers.flatMap((record) => (tampering.takeover ?? ((same) => same))(record) ?? []),
    marks: tampering.marks === undefined ? file.marks : tampering.marks(file),
  });
  const tampered: CustodyStore = {
    ...store,
    load: async (title) => {
      const file = await store.load(title);
      return file && altered(file);
    },
    loadPage: async (...page) => (await store.loadPage(...page)).map(altered),
    counterLine: async (place) => {
      const { counters, mark, markedAt } = await store.counterLine(place);
      return {
        counters: counters.map(tampering.counter ?? ((same) => same)),
        markedAt,
        mark: tampering.counterMark === "dropped" ? undefined : mark,
      };
    },
  };
  await withTestCustody(async (custody) => {
    for (const title of [FIRST, SECOND]) {
      const meter = new TestMeter({ systemTitle: title });
      await custody.add(meter);
      await carryTakeover(custody, meter);
    }
    await body(custody, tampering);
  }, tampered);
}

const openSession = ({ custody }: TestCustody, title: string = FIRST) =>
  custody.service.openSession({ meter: systemTitle(fromHex(title)), purpose: "read" }, HEAD_END);

async function lastRefusal({ store }: TestCustody) {
  const entry = (await store.ledger.read(0, 10_000)).findLast(({ kind }) => kind === "record-refused");
  return entry === undefined ? undefined : [entry.meter, (JSON.parse(entry.body) as { code: string }).code];
}

const refused = { code: "record-refused" };

test("a journal that was changed in any of its columns is refused, and the ledger has it", () =>
  withTampering(async (custody, tampering) => {
    await openSession(custody);
    for (const change of [
      { journal: '{"form":1}' },
      { revision: 1 },
      { takeover: 2 },
      { closedAt: undefined },
      { openedAt: 5 },
      { utility: "other" },
      { mac: undefined },
    ]) {
      tampering.takeover = (record) => ({ ...record, ...change });
      await assert.rejects(openSession(custody), refused, JSON.stringify(change));
      assert.deepEqual(await lastRefusal(custody), [FIRST, "record-not-authentic"], JSON.stringify(change));
    }
    const next = custody.custody.service.nextContact({ meter: systemTitle(fromHex(FIRST)) }, HEAD_END);
    await assert.rejects(next, refused);
    tampering.takeover = (record) => record;
    await openSession(custody);
    assert.ok((await custody.custody.service.status({}, HEAD_END)).refusals.records >= 8);
  }));

test("a journal that was moved from one meter to another is refused, and the others of its page are not", () =>
  withTampering(async (custody, tampering) => {
    const [other] = (await custody.store.load(SECOND))?.takeovers ?? [];
    tampering.takeover = (record) =>
      record.systemTitle === FIRST ? { ...(other as StoredTakeover), systemTitle: FIRST } : record;
    await assert.rejects(openSession(custody), refused);
    const { states } = await custody.custody.service.takeoverStates({ meters: [] }, HEAD_END);
    assert.deepEqual(
      states.map(({ meter }) => Buffer.from(meter).toString("hex")),
      [SECOND],
    );
  }));

test("a journal put back to an older revision, its own MAC and all, or taken away is refused", () =>
  withTampering(async (custody, tampering) => {
    const third = "5453540000000009";
    const meter = new TestMeter({ systemTitle: third });
    await custody.add(meter);
    await custody.custody.service.nextContact({ meter: systemTitle(fromHex(third)) }, HEAD_END);
    const [older] = (await custody.store.load(third))?.takeovers ?? [];
    await carryTakeover(custody, meter);
    await openSession(custody, third);
    for (const was of [older, undefined]) {
      tampering.takeover = (record) => (record.systemTitle === third ? was : record);
      await assert.rejects(openSession(custody, third), refused);
      assert.deepEqual(await lastRefusal(custody), [third, "record-put-back"]);
    }
    tampering.takeover = (record) => record;
    tampering.marks = () => [];
    await assert.rejects(openSession(custody, third), refused, "the ledger was put back instead");
  }));

test("a counter below the ledger's mark, changed or without one is refused before it is used again", () =>
  withTampering(async (custody, tampering) => {
    const place = { utility: "stadtwerke", island: "mainland", systemTitle: FIRST, setup: 0 };
    const stored = (await custody.store.counterLine(place)).counters;
    const highest = stored.reduce((a, b) => (a.next > b.next ? a : b));
    const lower = stored.reduce((a, b) => (a.next < b.next ? a : b));
    assert.ok(lower.next < highest.next);
    for (const [counter, code] of [
      [(record: StoredCounter) => ({ ...record, next: 256 }), "record-not-authentic"],
      [(record: StoredCounter) => ({ ...record, mac: undefined }), "record-not-authentic"],
      // An older row of the same line, authentic in its place.
      [(record: StoredCounter) => (record.keyVersion === highest.keyVersion ? lower : record), "record-put-back"],
    ] as const) {
      tampering.counter = counter;
      await custody.restart();
      await assert.rejects(openSession(custody), refused);
      assert.deepEqual(await lastRefusal(custody), [FIRST, code]);
    }
    tampering.counter = (record) => record;
    tampering.counterMark = "dropped";
    await custody.restart();
    await assert.rejects(openSession(custody), refused, "the ledger was put back instead");
    delete tampering.counterMark;
    await custody.restart();
    await openSession(custody);
    assert.ok(highest.next <= ((await custody.store.counterLine(place)).mark?.next ?? 0));
  }));

test("a row without a MAC is refused at every start: none is given one", async () => {
  await withTampering(async (custody, tampering) => {
    const bare = { mac: undefined };
    for (const take of [
      () => {
        tampering.takeover = (record) => ({ ...record, ...bare });
      },
      () => {
        tampering.takeover = (record) => record;
        tampering.counter = (record) => ({ ...record, ...bare });
      },
      () => {
        tampering.counter = (record) => record;
        tampering.meter = (record) => ({ ...record, ...bare });
      },
    ]) {
      take();
      for (let start = 0; start < 2; start += 1) {
        await custody.restart();
        await assert.rejects(openSession(custody), refused);
        assert.deepEqual(await lastRefusal(custody), [FIRST, "record-not-authentic"]);
      }
    }
    tampering.meter = (record) => record;
    await custody.restart();
    await openSession(custody);
  });
});
