import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";

/** Which of the meters are still being taken over, in the depot or in the field, or have left: nobody reads them. */
export async function notInService(sql: Sql, scope: Scope, meters: readonly MeterId[]): Promise<ReadonlySet<MeterId>> {
  if (meters.length === 0) return new Set();
  const found = await rows<{ meter_id: MeterId }>(
    sql,
    `select meter_id from takeovers
     where utility_id = $1 and island_id = $2 and meter_id = any($3::integer[]) and phase not in ('done', 'not-applicable')`,
    [...scope.place, meters],
  );
  return new Set(found.map(({ meter_id }) => meter_id));
}
