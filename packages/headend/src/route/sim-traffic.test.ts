import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { openHeadEndDatabase } from "../testing/database.ts";
import { LANES } from "../work/lease.ts";
import { postgresWorkQueue } from "../work/postgres-queue.ts";
import type { Route } from "./route.ts";
import { countTraffic, keepSimBudgets, parseSimBudgets, simBudgetUse, sparedUntil } from "./sim-traffic.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const NEXT_MONTH = Date.parse("2026-12-01T00:00:00Z");
const HOUR = 3_600_000;

const database = await openHeadEndDatabase(3);
after(() => database[Symbol.asyncDispose]());
const { pool, scope, meters } = database;
const [first, second, third] = meters.map(({ id }) => id) as [
  (typeof meters)[number]["id"],
  (typeof meters)[number]["id"],
  (typeof meters)[number]["id"],
];
const cellular: Route = { kind: "tcp", host: "192.0.2.1", port: 4059 };

test("budgets are megabytes a SIM and month by network, each named once", () => {
  assert.deepEqual(
    [...parseSimBudgets("cellular=20, nb-iot=0.5")],
    [
      ["cellular", 20_000_000],
      ["nb-iot", 500_000],
    ],
  );
  for (const text of ["", "cellular", "cellular=0", "gprs=1", "cellular=1,cellular=2", "cellular=-1", "cellular=1e9"])
    assert.throws(() => parseSimBudgets(text), { code: "sim-budget-invalid" }, text);
});

test("MC-23: a meter whose SIM has carried its month's octets is spared until the next month, or until its budget grows", async () => {
  const queue = postgresWorkQueue(pool, scope);
  const spared = async (now: number): Promise<readonly boolean[]> => {
    await pool.query("update work set leased_by = null, leased_until = null");
    await queue.due([first, second, third], now, LANES.reading);
    await pool.query("update work set due_at = $1", [new Date(now)]);
    const leases = await queue.lease(randomUUID(), { any: 3, onDemand: 0 }, now, 60);
    assert.equal(leases.length, 3);
    return leases
      .toSorted((one, other) => one.meter.id - other.meter.id)
      .map(({ isSimUsedUp }) => isSimUsedUp === true);
  };
  const carried = (id: typeof first, octets: number, route: Route | undefined = cellular, at = NOW) =>
    countTraffic(pool, scope, [{ meter: { id, route }, octets, at }]);

  await carried(first, 5_000_000);
  assert.deepEqual(await simBudgetUse(pool, scope, NOW), [], "nothing is counted where there is no budget");
  await keepSimBudgets(pool, scope, parseSimBudgets("cellular=0.001,nb-iot=1"));
  await carried(first, 400);
  await carried(first, 599);
  assert.deepEqual(await spared(NOW), [false, false, false]);
  // One statement counts two of one meter, as a session and a push that end together are.
  await countTraffic(pool, scope, [
    { meter: { id: first, route: cellular }, octets: 1, at: NOW },
    { meter: { id: second, route: { ...cellular, network: "lan" } }, octets: 5_000, at: NOW },
    { meter: { id: first, route: cellular }, octets: 9, at: NOW },
  ]);
  // Who is behind a concentrator has no SIM, and what nobody knows a way to neither.
  await carried(third, 5_000, {
    kind: "concentrator",
    concentrator: "dc-1",
    networkId: 0,
    physicalAddress: fromHex("0A"),
    network: "cellular",
  });
  assert.deepEqual(await spared(NOW), [true, false, false]);
  assert.deepEqual(await simBudgetUse(pool, scope, NOW), [
    {
      network: "cellular",
      month: "2026-11",
      budgetOctets: 1_000,
      sims: 1,
      usedUp: 1,
      octets: 1_009,
      mostOctets: 1_009,
    },
    { network: "nb-iot", month: "2026-11", budgetOctets: 1_000_000, sims: 0, usedUp: 0, octets: 0, mostOctets: 0 },
  ]);
  assert.deepEqual(await spared(NEXT_MONTH), [false, false, false]);
  await keepSimBudgets(pool, scope, parseSimBudgets("cellular=1"));
  assert.deepEqual(await spared(NOW), [false, false, false]);
  await keepSimBudgets(pool, scope, new Map());
  assert.deepEqual(await simBudgetUse(pool, scope, NOW), []);
});

test("who is spared is looked at again when its month ends, and a few times a day before", () => {
  assert.equal(sparedUntil(NOW, 0), NOW + 6 * HOUR);
  assert.equal(sparedUntil(NEXT_MONTH - HOUR, 0), NEXT_MONTH);
  assert.equal(sparedUntil(NEXT_MONTH - HOUR, 0.5), NEXT_MONTH + HOUR / 2);
  assert.equal(sparedUntil(Date.parse("2026-12-31T23:30:00Z"), 0), Date.parse("2027-01-01T00:00:00Z"));
});
