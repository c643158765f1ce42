import { fromHex, systemTitle } from "@meterkeep/dlms";
import type { Meter, MeterId } from "../inventory/meter.ts";
import { openHeadEndDatabase, testMeter } from "../testing/database.ts";
import { workQueueContract } from "../testing/queue-contract.ts";
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
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
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
