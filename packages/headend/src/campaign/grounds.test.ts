import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandOrder } from "@meterkeep/api";
import type { Weather } from "@meterkeep/guard";
import { DAY, HOMES, openBench, RITA } from "../testing/campaign-bench.ts";
import { testTitle } from "../testing/database.ts";
import type { Billing } from "./billing.ts";
import type { WeatherOffice } from "./weather.ts";

const OWED: Billing = {
  workOrder: async (id) => ({
    id,
    reason: id,
    meters: new Set(Array.from({ length: HOMES }, (_, at) => testTitle(at))),
    notBefore: 0,
    notAfter: Number.MAX_SAFE_INTEGER,
    cancelled: false,
  }),
  accounts: async (meters) =>
    new Map(meters.map((meter) => [meter, { inArrears: true, notifiedAt: 0, contractW: undefined }])),
};
const cut = (at: number, reason: "arrears" | "safety"): CommandOrder => ({
  operation: "disconnect",
  reason,
  workOrder: reason,
  selection: { kind: "list", meters: [testTitle(at)] },
});

test("MC-08: the weather office's frost and its silence hold a cut for arrears, and its mild day lets it go on", async () => {
  const office = { said: undefined as Weather | undefined };
  const weather: WeatherOffice = {
    forecast: async () => {
      if (office.said === undefined) throw new Error("silence");
      return office.said;
    },
  };
  const { database, campaigns, bench } = await openBench(HOMES, { billing: OWED, weather });
  await using _ = database;
  const tried = async (reason: "arrears" | "safety") => {
    const { verdict, findings } = await campaigns.dryRun(cut(0, reason), RITA);
    return [verdict, ...findings.filter(({ effect }) => effect !== "warn").map(({ rule }) => rule)];
  };
  const until = bench.now + DAY;
  assert.deepEqual(await tried("arrears"), ["quarantined", "MC-08"]);
  office.said = { until, lowestCelsius: -0.5, highestCelsius: 8 };
  assert.deepEqual(await tried("arrears"), ["quarantined", "MC-08"]);
  assert.deepEqual(await tried("safety"), ["goes-on"]);
  office.said = { until, lowestCelsius: 3, highestCelsius: 8 };
  assert.deepEqual(await tried("arrears"), ["goes-on"]);
});

test("MC-07, MC-10: a meter that is not believed takes one person more, and what it said is no ground for arrears", async () => {
  const mild = async () => ({ until: Number.MAX_SAFE_INTEGER, lowestCelsius: 10, highestCelsius: 20 });
  const { database, pool, scope, campaigns, bench } = await openBench(HOMES, {
    billing: OWED,
    weather: { forecast: mild },
  });
  await using _ = database;
  const found = (at: number, rule: string, severity: string, disputes: boolean) =>
    pool.query(
      `insert into plausibility_findings (utility_id, island_id, rule, subject_kind, subject, meter_id, from_at, to_at,
         found_at, severity, confidence, disputes, sentence, data)
       select $1, $2, $3, 'meter', meter_id::text, meter_id, $4, $4, $4, $5, 1, $6, '', '{}' from meters
       where utility_id = $1 and island_id = $2 and system_title = $7`,
      [...scope.place, rule, new Date(bench.now - 1000), severity, disputes, Buffer.from(testTitle(at), "hex")],
    );
  // One whose score has fallen below 40, one of whom a single day is disputed, and one who is only unusual.
  for (const rule of ["P-9", "P-14"]) await found(0, rule, "critical", true);
  await found(1, "P-1", "alert", true);
  await found(2, "P-4", "warn", false);
  const asked = async (at: number, reason: "arrears" | "safety") => {
    const { verdict, people, doubted, findings } = await campaigns.dryRun(cut(at, reason), RITA);
    return [verdict, people, doubted, ...findings.map(({ rule, effect }) => `${rule} ${effect}`)];
  };
  assert.deepEqual(await asked(0, "safety"), ["goes-on", 2, 1, "MC-07 warn"]);
  assert.deepEqual(await asked(1, "safety"), ["goes-on", 1, undefined]);
  assert.deepEqual(await asked(0, "arrears"), ["nothing-left", 0, undefined, "MC-10 stop"]);
  assert.deepEqual(await asked(1, "arrears"), ["nothing-left", 0, undefined, "MC-10 stop"]);
  assert.deepEqual(await asked(2, "arrears"), ["goes-on", 1, undefined]);
  // A person has accepted all that was disputed; and then thought otherwise.
  const decide = (verdict: "accepted" | "rejected") =>
    pool.query(
      `insert into dispute_decisions (utility_id, island_id, meter_id, from_at, to_at, verdict, findings, contradictions,
         seen_to, decided_at, by_whom, reason, sequence)
       select utility_id, island_id, meter_id, from_at - interval '1 hour', to_at, $1, array[finding_id], '{}', 0, to_at, 'Otto',
         'seen to', 1 from plausibility_findings where rule = 'P-1'`,
      [verdict],
    );
  await decide("accepted");
  assert.deepEqual(await asked(1, "arrears"), ["goes-on", 1, undefined]);
  await decide("rejected");
  assert.deepEqual(await asked(1, "arrears"), ["nothing-left", 0, undefined, "MC-10 stop"]);
  // MC-04: who is doubted does not slip under a cap by saying little.
  await pool.query("update meter_latest set power_w = 5");
  const loads = [0, 1].map(async (at) => (await campaigns.dryRun(cut(at, "safety"), RITA)).loadAtRiskW);
  assert.deepEqual(await Promise.all(loads), [1000, 5]);
  // What was disputed long ago has been billed long ago.
  bench.now += 35 * DAY;
  assert.deepEqual(await asked(1, "arrears"), ["goes-on", 1, undefined]);
  bench.now -= 35 * DAY;
  const { campaign } = await campaigns.create(cut(0, "safety"), RITA);
  const { rows: kept } = await pool.query("select manifest from campaigns where campaign_id = $1", [campaign.id]);
  const [header = ""] = String(kept[0]?.manifest).split("\n");
  assert.equal(JSON.parse(header).doubted, 1, "people sign it");
});
