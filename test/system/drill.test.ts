import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { DrillReport, LedgerPage } from "@meterkeep/api";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { type MeterTruth, townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

const HOMES = 200;

let meterkeep: Meterkeep;
let api: ApiClient;
let truthBefore: readonly MeterTruth[];
let ledgerBefore: number;
let report: DrillReport;

before(async () => {
  meterkeep = await startMeterkeep({ meters: HOMES });
  api = await ownerClient(meterkeep);
  const count = async () => (await api.call("overview")).counts;
  await until(
    "every takeover has its verdict",
    async () => {
      const { byTakeover, meters } = await count();
      return meters === HOMES + 4 && byTakeover["proven"]! + byTakeover["refused"]! === meters;
    },
    { patienceMs: 120_000, everyMs: 250 },
  );
  // The meter that kept its keys in the depot gets to its home a while after it was left alone there.
  const town = townControl(meterkeep.stateDirectory);
  await until("every meter is at its home", async () => (await town.truth()).every(({ inField }) => inField));
  truthBefore = await town.truth();
  ledgerBefore = (await api.call("ledger", { query: { source: "custodian", limit: 1 } })).head!.size;
  const { drill } = await api.call("startDrill");
  report = await until(
    "the drill is over",
    async () => {
      const now = await api.call("drill", { params: { id: drill } });
      return (now.state === "done" || now.state === "failed") && now;
    },
    { patienceMs: 180_000, everyMs: 250 },
  );
});
after(() => meterkeep.stop());

test("a thief with the head-end's credentials asks for 200 homes and a key: 201 asked, 0 sealed, 0 dark", () => {
  assert.equal(report.failure, undefined);
  const { state, asked, sealed, refused, dark, readBack } = report;
  assert.deepEqual(
    { state, asked, sealed, refused, dark, readBack },
    { state: "done", asked: HOMES + 1, sealed: 0, refused: HOMES + 1, dark: 0, readBack: HOMES },
  );
  assert.match(report.sentence, /201 asked, 0 sealed, 0 homes dark/);
});

test("the APDU of each ask is a disconnect that decodes, and the refusal names the missing token", () => {
  const homes = report.items.filter(({ meter }) => meter !== undefined);
  assert.equal(new Set(homes.map(({ meter }) => meter)).size, HOMES);
  for (const { apdu, decoded, code, outcome } of homes) {
    assert.deepEqual([outcome, code], ["refused", "command-token-missing"]);
    assert.match(apdu ?? "", /^C301/);
    assert.ok((decoded ?? []).length > 0);
  }
  const [key] = report.items.filter(({ meter }) => meter === undefined);
  assert.deepEqual([key?.outcome, key?.code], ["refused", "method-not-offered"]);
});

test("each refusal stands in the custodian's ledger, with the principal whose credentials were used", async () => {
  const entries: LedgerPage["entries"] = [];
  for (let last = ledgerBefore; ; ) {
    const page = await api.call("ledger", { query: { source: "custodian", after: last, limit: 500 } });
    if (page.entries.length === 0) break;
    entries.push(...page.entries);
    last = Math.max(...page.entries.map(({ sequence }) => sequence));
  }
  const refusals = entries.filter(({ kind }) => kind === "seal-refused");
  const homes = new Set(truthBefore.filter(({ role }) => role === "home").map(({ systemTitle }) => systemTitle));
  assert.deepEqual(new Set(refusals.map(({ meter }) => meter)), homes);
  assert.equal(refusals.length, HOMES);
  for (const { principal, body } of refusals) {
    assert.equal(principal, "head-end");
    assert.equal((JSON.parse(body) as { code: string }).code, "command-token-missing");
  }
  const exports = entries.filter(({ kind }) => kind === "method-not-offered");
  assert.equal(exports.length, 1);
  assert.equal(exports[0]?.principal, "head-end");
  assert.match(exports[0]?.body ?? "", /exportKey/);
});

test("the town itself says that every relay is where it was, whatever the meters may say", async () => {
  const truthAfter = await townControl(meterkeep.stateDirectory).truth();
  const supplied = (truth: readonly MeterTruth[]) => new Map(truth.map((one) => [one.systemTitle, one.supplied]));
  assert.deepEqual(supplied(truthAfter), supplied(truthBefore));
  assert.ok(truthAfter.every((one) => one.supplied));
});

test("what was read back rests on sessions with the meters, and each read the disconnect control", async () => {
  const homes = report.items.filter(({ meter }) => meter !== undefined);
  assert.ok(homes.every(({ supply, supplySession }) => supply === "connected" && supplySession !== undefined));
  for (const { meter, supplySession } of homes.slice(0, 3)) {
    const { session, ladder } = await api.call("session", { params: { id: supplySession! } });
    assert.equal(session.meter, meter);
    // Logical name of the disconnect control, 0-0:96.3.10.255, in the plain request.
    assert.ok(ladder.some(({ direction, plain }) => direction === "to-meter" && plain?.includes("000060030AFF")));
  }
});
