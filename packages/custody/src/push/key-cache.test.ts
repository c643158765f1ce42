import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { ReceiveWindows } from "../protocol/receive-windows.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { MeterFile } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { type BorrowedRings, MeterKeyCache } from "./key-cache.ts";

const TITLE = "545354000000000A";
const FIVE_MINUTES = 5 * 60_000;

/** Somebody changes the meter's row while the custodian runs. */
async function withRow(
  body: (custody: TestCustody, meter: TestMeter, row: { isChanged: boolean; isGone: boolean }) => Promise<void>,
): Promise<void> {
  const row = { isChanged: false, isGone: false };
  const memory = memoryCustodyStore();
  const read = (file: MeterFile): MeterFile =>
    row.isChanged ? { ...file, meter: { ...file.meter, profile: "another" } } : file;
  const store: CustodyStore = {
    ...memory,
    load: async (title) => {
      const file = await memory.load(title);
      return file && read(file);
    },
    loadPage: async (...page) => (row.isGone ? [] : (await memory.loadPage(...page)).map(read)),
  };
  await withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    await body(custody, meter, row);
  }, store);
}

async function push({ custody }: TestCustody, meter: TestMeter): Promise<string> {
  const items = [{ apdu: meter.push("authenticated"), transport: "tcp" as const }];
  const [result] = await custody.service.openPush({ items }, HEAD_END);
  return result?.kind === "refused" ? result.code : (result?.kind ?? "");
}

test("kept keys of a meter are used no more once its rows were refused anywhere", () =>
  withRow(async (custody, meter, row) => {
    assert.equal(await push(custody, meter), "opened");
    row.isChanged = true;
    assert.equal(await push(custody, meter), "opened", "kept for some minutes: nobody has looked");
    const opening = custody.custody.service.openSession(
      { meter: systemTitle(fromHex(TITLE)), purpose: "read" },
      HEAD_END,
    );
    await assert.rejects(opening, { code: "record-refused" });
    assert.equal(await push(custody, meter), "unknown-meter");
    row.isChanged = false;
    assert.equal(await push(custody, meter), "opened");
  }));

for (const how of ["isChanged", "isGone"] as const)
  test(`keys whose time is over are not used as they were where their row ${how === "isGone" ? "is gone" : "was changed"}`, () =>
    withRow(async (custody, meter, row) => {
      assert.equal(await push(custody, meter), "opened");
      row[how] = true;
      custody.now += FIVE_MINUTES;
      assert.equal(await push(custody, meter), "unknown-meter");
    }));

test("what is found foreign in the ledger has kept keys read again: they may rest on it", () =>
  withRow(async (custody, meter, row) => {
    assert.equal(await push(custody, meter), "opened");
    row.isChanged = true;
    custody.store.ledger.foreign.add({ from: 900_000, to: 900_000, fault: "appended" });
    assert.equal(await push(custody, meter), "unknown-meter");
  }));

test("keys that change while they are read are good for who asked, and read again by the next", () =>
  withRow(async ({ store, vault }) => {
    let reads = 0;
    let whileReading = () => {};
    const cache = new MeterKeyCache({
      files: {
        loadPage: async (...page) => {
          reads += 1;
          const files = await store.loadPage(...page);
          whileReading();
          return files;
        },
        onRefused: () => {},
      },
      vault,
      receiveWindows: new ReceiveWindows(),
      now: () => 1,
      foreign: { findings: [] },
    });
    whileReading = () => cache.forget(TITLE);
    const borrow = async () => {
      using borrowed = await cache.borrow([TITLE]);
      return borrowed.rings.size;
    };
    assert.equal(await borrow(), 1);
    whileReading = () => {};
    await borrow();
    assert.equal(reads, 2);
    await borrow();
    assert.equal(reads, 2);
  }));

test("keys that somebody opens a push with are wiped when that is over, however they were forgotten meanwhile", () =>
  withRow(async ({ store, vault }) => {
    const clock = { now: 1 };
    const cache = new MeterKeyCache({
      files: { loadPage: (...page) => store.loadPage(...page), onRefused: () => {} },
      vault,
      receiveWindows: new ReceiveWindows(),
      now: () => clock.now,
      foreign: { findings: [] },
    });
    const isWiped = ({ rings }: BorrowedRings) =>
      rings.get(TITLE)?.sets.every(({ keys }) => keys.authentication?.every((octet) => octet === 0));
    const [one, other] = [await cache.borrow([TITLE]), await cache.borrow([TITLE])];
    assert.equal(one.rings.get(TITLE), other.rings.get(TITLE), "it was read once");
    cache.forget(TITLE);
    one[Symbol.dispose]();
    assert.equal(isWiped(other), false, "another still opens with it");
    other[Symbol.dispose]();
    assert.equal(isWiped(other), true);
    // Its time is over while it is lent, and another takes its place.
    const late = await cache.borrow([TITLE]);
    clock.now += FIVE_MINUTES;
    using next = await cache.borrow([TITLE]);
    assert.deepEqual([isWiped(late), isWiped(next)], [false, false]);
    late[Symbol.dispose]();
    assert.deepEqual([isWiped(late), isWiped(next)], [true, false]);
  }));

test("of a meter that is not meant nothing is unsealed, kept or given", () =>
  withRow(async ({ store, vault }) => {
    let unsealed = 0;
    const counting = new Proxy(vault, {
      get: (target, name) => {
        if (name === "unseal" || name === "tokenKey") unsealed += 1;
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const cache = new MeterKeyCache({
      files: { loadPage: (...page) => store.loadPage(...page), onRefused: () => {} },
      vault: counting,
      receiveWindows: new ReceiveWindows(),
      now: () => 1,
      foreign: { findings: [] },
    });
    const asked = async (isMeant: boolean) => {
      const before = unsealed;
      using borrowed = await cache.borrow([TITLE], () => isMeant);
      return [borrowed.rings.size, [...borrowed.beyond.keys()], unsealed > before];
    };
    assert.deepEqual(await asked(false), [0, [TITLE], false]);
    assert.deepEqual(await asked(true), [1, [], true]);
    assert.deepEqual(await asked(false), [0, [TITLE], false], "kept for those who may");
    assert.deepEqual(await asked(true), [1, [], false]);
  }));
