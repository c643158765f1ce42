import type { Meter } from "../inventory/meter.ts";
import { openHeadEndDatabase } from "../testing/database.ts";
import { meterMemoryContract } from "../testing/memory-contract.ts";
import { postgresMemory, volatileMemory } from "./memory.ts";

meterMemoryContract("in this process", async () => ({
  memoryOf: volatileMemory(),
  meters: [{ id: 1 }, { id: 2 }] as unknown as readonly Meter[],
  [Symbol.asyncDispose]: async () => undefined,
}));

meterMemoryContract("in PostgreSQL", async () => {
  const database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  return {
    memoryOf: postgresMemory(pool, scope, Date.now),
    meters,
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
});
