import { openTestDatabase, type TestDatabase } from "@meterkeep/postgres/testing";
import { HEADEND_MIGRATIONS } from "../database/migrations.ts";
import { openScope, type Scope } from "../database/scope.ts";
import { Inventory, type NewMeter } from "../inventory/inventory.ts";
import type { Meter } from "../inventory/meter.ts";

/** A head-end's database for a suite, with one island and some meters. */
export interface HeadEndDatabase extends AsyncDisposable {
  readonly pool: TestDatabase["pool"];
  readonly scope: Scope;
  readonly inventory: Inventory;
  readonly meters: readonly Meter[];
}

/** System title number `n` of the tests. */
export function testTitle(n: number): string {
  return `4D4B56${n.toString(16).toUpperCase().padStart(10, "0")}`;
}

/** What a shipment says of meter `n`. */
export function testMeter(n: number, more: Partial<NewMeter> = {}): NewMeter {
  return {
    systemTitle: testTitle(n),
    kind: "simulated",
    profile: "idis-p2",
    securitySuite: 0,
    manufacturer: "Maker",
    model: "MKV-I120",
    firmware: "1.0",
    holders: ["Maker"],
    ...(more.kind === "real" ? {} : { shipment: "5".repeat(32) }),
    ...more,
  };
}

export async function openHeadEndDatabase(count: number): Promise<HeadEndDatabase> {
  const database = await openTestDatabase({ migrations: HEADEND_MIGRATIONS });
  const { pool } = database;
  const scope = await openScope(pool, "utility", "island");
  const inventory = new Inventory(pool, scope);
  await inventory.add(
    Array.from({ length: count }, (_, n) => testMeter(n)),
    new Date(),
  );
  const meters = await inventory.all();
  return { pool, scope, inventory, meters, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}
