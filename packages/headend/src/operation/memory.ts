import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql } from "../database/sql.ts";
import type { Meter } from "../inventory/meter.ts";
import type { MeterMemory } from "./operation.ts";

/** What operations keep of each meter. Every adapter passes `meterMemoryContract`. */
export type MemoryOf = (meter: Pick<Meter, "id">) => MeterMemory;

/** Keeps it in PostgreSQL. `now` is milliseconds since 1970 UTC. */
export function postgresMemory(sql: Sql, { place }: Scope, now: () => number): MemoryOf {
  return ({ id }) => ({
    load: async (topic) => {
      const row = await firstRow<{ readonly value: unknown }>(
        sql,
        `select value from operation_memory where utility_id = $1 and island_id = $2 and meter_id = $3 and topic = $4`,
        [...place, id, topic],
      );
      return row?.value;
    },
    save: async (topic, value) => {
      const of = [...place, id, topic];
      if (value === undefined)
        await sql.query(
          "delete from operation_memory where utility_id = $1 and island_id = $2 and meter_id = $3 and topic = $4",
          of,
        );
      else
        await sql.query(
          `insert into operation_memory (utility_id, island_id, meter_id, topic, value, kept_at)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (utility_id, island_id, meter_id, topic) do update set value = excluded.value, kept_at = excluded.kept_at`,
          [...of, JSON.stringify(value), new Date(now())],
        );
    },
  });
}

/** Keeps it in this process, for tests and tools. */
export function volatileMemory(): MemoryOf {
  const kept = new Map<string, string>();
  return ({ id }) => ({
    load: async (topic) => {
      const text = kept.get(`${id} ${topic}`);
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    save: async (topic, value) => {
      if (value === undefined) kept.delete(`${id} ${topic}`);
      else kept.set(`${id} ${topic}`, JSON.stringify(value));
    },
  });
}
