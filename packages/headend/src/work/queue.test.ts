import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import type { Meter, MeterId } from "../inventory/meter.ts";
import { openHeadEndDatabase, testMeter } from "../testing/database.ts";
import { workQueueContract } from "../testing/queue-contract.ts";
import { LANES } from "./lease.ts";
import { memoryWorkQueue } from "./memory-queue.ts";
import { postgresWorkQueue } from "./postgres-queue.ts";

workQueueContract("in memory", async () => {
  const meters = Array.from({ length: 20 }, (_, n) => memoryMeter(n));
  return { queue: memoryWorkQueue(meters), meters, [Symbol.asyncDispose]: async () => undefined };
});

workQueueContract("in PostgreSQL", async () => {
  const database = await openHeadEndDatabase(20);
  const { pool, scope, meters } = database;
  return {
    queue: postgresWorkQueue(pool, scope),
    meters,
    pass: async () => void (await pool.query("update work set leased_until = now() where leased_until is not null")),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
});

test("a worker whose clock is ahead takes no lease that stands: leases last by the clock of the database", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope, meters } = database;
  const queue = postgresWorkQueue(pool, scope);
  await queue.due([meters[0]!.id], Date.now() - 1_000, LANES.reading);
  const ahead = Date.now() + 30 * 86_400_000;
  assert.equal((await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, Date.now(), 360)).length, 1);
  assert.deepEqual(await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, ahead, 360), []);
  await pool.query("update work set leased_until = now()");
  const behind = Date.now() - 500;
  assert.equal((await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, behind, 360)).length, 1);
  assert.deepEqual(
    await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, ahead, 360),
    [],
    "nor of one that is behind",
  );
});

function memoryMeter(n: number): Meter {
  const { systemTitle: title, kind, profile, securitySuite, manufacturer, holders } = testMeter(n);
  return {
    id: (n + 1) as MeterId,
    systemTitle: systemTitle(fromHex(title)),
    title,
    kind,
    role: "home",
    label: title,
    profile,
    securitySuite,
    manufacturer,
    logicalDeviceName: undefined,
    serialNumber: undefined,
    model: undefined,
    hardwareRevision: undefined,
    firmware: undefined,
    shipment: undefined,
    holders,
    feeder: undefined,
    path: "wan",
    transformer: undefined,
    moving: undefined,
    route: undefined,
    depotAddress: undefined,
    pushSource: undefined,
    pushLayout: undefined,
    importedAt: new Date(0),
  };
}
