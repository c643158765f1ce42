import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";

/** Which of the meters are still in the depot, where only its bench speaks with them. */
export async function onBench(sql: Sql, scope: Scope, meters: readonly MeterId[]): Promise<ReadonlySet<MeterId>> {
  if (meters.length === 0) return new Set();
  const found = await rows<{ meter_id: MeterId }>(
    sql,
    `select m.meter_id from meters m
     join feeders f on (f.utility_id, f.island_id, f.feeder_id) = (m.utility_id, m.island_id, m.feeder_id)
     join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
     where m.utility_id = $1 and m.island_id = $2 and m.meter_id = any($3::integer[]) and f.path = 'depot'
       and t.phase not in ('done', 'not-applicable')`,
    [...scope.place, meters],
  );
  return new Set(found.map(({ meter_id }) => meter_id));
}
