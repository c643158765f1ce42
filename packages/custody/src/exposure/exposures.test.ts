import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { CustodianRequest, Exposure } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { MeterFile } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { OPERATOR } from "../testing/authority-world.ts";
import { sealMeterKeys } from "../testing/shipment-writer.ts";
import { TestChild } from "../testing/test-child.ts";
import { carryTakeover, DEPOT, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const TITLE = "5453540000000A01";
const OTHER = "5453540000000A02";
const meterTitle = systemTitle(fromHex(TITLE));

async function pages({ custody }: TestCustody, request: Partial<CustodianRequest<"exposure">>) {
  const all: (readonly Exposure[])[] = [];
  for (let from: CustodianRequest<"exposure">["from"]; ; ) {
    const asked = { meter: undefined, person: undefined, ...request, from };
    const page = await custody.service.exposure(asked, OPERATOR);
    all.push(JSON.parse(page.exposures) as readonly Exposure[]);
    from = page.next;
    if (from === undefined) return all;
  }
}

test("each lending of a password stands in the exposure ledger, by who carried it, until a later one was proven", async () => {
  const there = (store?: CustodyStore) =>
    withTestCustody(async (custody) => {
      const meter = new TestMeter({ systemTitle: TITLE, secrets: true });
      await custody.add(meter, { profile: "is15959" });
      const { steps } = await carryTakeover(custody, meter);
      assert.ok(steps.includes("prove-secret"));
      const [rows] = await pages(custody, { meter: meterTitle });
      const held = (rows ?? [])
        .filter(({ as }) => as === "factory")
        .map(({ keys, until }) => [keys, until === undefined]);
      assert.deepEqual(held, [
        ["GUEK 1, GBEK 1, GAK 1, KEK 1", false],
        ["LLS 1 of client 34", false],
        ["HLS 1 of client 48", false],
      ]);
      const onTheWay = (rows ?? []).filter(({ as }) => as === "carrier");
      const passwords = onTheWay.filter(({ keys }) => keys.startsWith("LLS"));
      const carried = passwords.map(({ who, as, keys, form, until }) => [who, as, keys, form, until === undefined]);
      const who = "whoever carries octets for the head-end";
      assert.deepEqual(carried, [
        [who, "carrier", "LLS 2 of client 34", "sealed", true],
        [who, "carrier", "LLS 2 of client 34", "clear", true],
        [who, "carrier", "LLS 1 of client 34", "clear", false],
      ]);
      assert.match(passwords[0]?.why ?? "", /under GUEK 2/);
      // A secret that is never sent but as a proof lies under the working keys alone.
      const secrets = onTheWay.filter(({ keys }) => keys.startsWith("HLS"));
      assert.deepEqual(
        secrets.map(({ keys, form }) => [keys, form]),
        [["HLS 2 of client 48", "sealed"]],
      );
      const found = (await pages(custody, { person: "HEAD-END" })).flat();
      assert.deepEqual(
        found.map(({ keys, form }) => [keys, form]),
        [...passwords, ...secrets].sort((a, b) => a.from - b.from).map(({ keys, form }) => [keys, form]),
      );
    }, store);
  await there();
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => there(postgresCustodyStore(pool)));
});

test("who could have recorded the change of a security setup's keys is told of that setup alone", () =>
  withTestCustody(async (custody) => {
    const [both, first] = [TITLE, OTHER].map((title) => new TestMeter({ systemTitle: title, secondSetup: true })) as [
      TestMeter,
      TestMeter,
    ];
    const derivable = async (title: string) => {
      const [rows] = await pages(custody, { meter: systemTitle(fromHex(title)) });
      return (rows ?? []).filter(({ form }) => form === "derivable").map(({ who, keys }) => [who, keys]);
    };
    await custody.add(both, { profile: "idis-p2-service" });
    await custody.add(first, { profile: "idis-p2-service" });
    await carryTakeover(custody, both);
    assert.deepEqual(await derivable(TITLE), [
      ["Test Meters", "all since the factory's, and the secrets of clients and keys of devices that went under them"],
      ["Test Meters", "all of security setup 1 since the factory's"],
    ]);
    // In the depot it answers in its first setup alone.
    await carryTakeover(
      custody,
      {
        systemTitle: OTHER,
        fault: "none",
        connect: (clientSap, serverSap) =>
          clientSap === 5 ? { exchange: () => undefined } : first.connect(clientSap, serverSap),
      },
      { by: DEPOT },
    );
    assert.deepEqual(await derivable(OTHER), []);
    custody.now += 3_600_000;
    await carryTakeover(custody, first);
    assert.deepEqual(await derivable(OTHER), [["Test Meters", "all of security setup 1 since the factory's"]]);
  }));

test("the key of a device that was told to its meter is told of as well", () =>
  withTestCustody(async (custody) => {
    const child = new TestChild(new Uint8Array(randomBytes(16)));
    const meter = new TestMeter({ systemTitle: TITLE, child });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const sealed = sealMeterKeys(custody.custody.recipient, TITLE, { 11: Uint8Array.of(1, ...child.defaultKey) });
    await custody.custody.service.installChild({ meter: meterTitle, sealed }, OPERATOR);
    await carryTakeover(custody, meter);
    const [rows] = await pages(custody, { meter: meterTitle });
    const told = (rows ?? []).filter(({ keys }) => keys === "M-Bus 1 of channel 1");
    assert.deepEqual(
      told.map(({ as, form }) => [as, form]),
      [["carrier", "sealed"]],
    );
    assert.match(told[0]?.why ?? "", /under GUEK 3/);
    const brought = (rows ?? []).filter(({ as }) => as === "added").map(({ who, keys, form }) => [who, keys, form]);
    assert.deepEqual(brought, [["who sealed them, by the operator", "M-Bus-default 1 of channel 1", "clear"]]);
  }));

test("who had the keys of a meter that is never taken over has them still: of a fleet in service, and of one that somebody added", () =>
  withTestCustody(async (custody) => {
    const of = async (meter: typeof meterTitle) => {
      const [rows] = await pages(custody, { meter });
      return (rows ?? []).map(({ who, as, keys, form, until }) => [who, as, keys, form, until]);
    };
    await custody.add(new TestMeter({ systemTitle: TITLE }), { origin: "added", holders: ["Former Operator"] });
    assert.deepEqual(await of(meterTitle), [["Former Operator", "factory", "GUEK 1, GAK 1", "clear", undefined]]);
    const keys = { 0: new Uint8Array(randomBytes(16)), 2: new Uint8Array(randomBytes(16)) };
    const other = systemTitle(fromHex(OTHER));
    const place = { utility: "stadtwerke", island: "mainland" };
    const sealed = sealMeterKeys(custody.custody.recipient, OTHER, keys);
    const added = await custody.custody.service.addMeter(
      { ...place, kind: "real", systemTitle: other, sealed },
      OPERATOR,
    );
    assert.equal(added.kind, "added");
    assert.deepEqual(await of(other), [
      ["who sealed them, by the operator", "added", "GUEK 1, GAK 1", "clear", undefined],
    ]);
  }));

test("a report that is longer than a page goes on where it ended, of one meter and of many: nothing is left out or told twice", () =>
  withTestCustody(async (custody) => {
    const holders = Array.from({ length: 40 }, (_, at) => `Carrier ${String(at).padStart(3, "0")} ${"x".repeat(200)}`);
    for (let number = 0; number < 250; number += 1) {
      const title = `54535400000B${number.toString(16).padStart(4, "0").toUpperCase()}`;
      await custody.add(new TestMeter({ systemTitle: title }), { holders: number % 2 === 0 ? holders : ["Nobody"] });
    }
    const told = await pages(custody, { person: "carrier" });
    assert.ok(told.length > 3, `${told.length} pages`);
    const rows = told.flat();
    assert.equal(rows.length, 125 * 40);
    assert.equal(new Set(rows.map(({ meter, who }) => `${meter} ${who}`)).size, rows.length);
    const one = new TestMeter({ systemTitle: TITLE });
    const many = Array.from({ length: 4000 }, (_, at) => `Holder ${at}`);
    await custody.add(one, { holders: many });
    const ofOne = await pages(custody, { meter: meterTitle });
    assert.ok(ofOne.length > 1);
    assert.deepEqual(new Set(ofOne.flat().map(({ who }) => who)), new Set(many));
    assert.equal(ofOne.flat().length, many.length);
  }));

test("who was taken out of a meter's record is not passed over: the meter is named as one of which nobody knows", async () => {
  let isChanged = false;
  const memory = memoryCustodyStore();
  const without = (file: MeterFile): MeterFile =>
    isChanged && file.meter.systemTitle === TITLE ? { ...file, meter: { ...file.meter, holders: [] } } : file;
  const store = {
    ...memory,
    loadPage: async (...page: Parameters<CustodyStore["loadPage"]>) => (await memory.loadPage(...page)).map(without),
  };
  await withTestCustody(async (custody) => {
    await custody.add(new TestMeter({ systemTitle: TITLE }), { holders: ["Acme Logistics"] });
    await custody.add(new TestMeter({ systemTitle: OTHER }), { holders: ["Acme Logistics"] });
    const of = async () =>
      (await pages(custody, { person: "acme" })).flat().map(({ meter, who, as }) => [meter, who, as]);
    const other = [OTHER, "Acme Logistics", "factory"];
    assert.deepEqual(await of(), [[TITLE, "Acme Logistics", "factory"], other]);
    isChanged = true;
    assert.deepEqual(await of(), [[TITLE, "nobody knows", "unknown"], other]);
  }, store);
});
