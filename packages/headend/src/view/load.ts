import { fromHex } from "@meterkeep/dlms";
import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql } from "../database/sql.ts";

/** What some meters measured last, in sum. */
export interface Load {
  readonly watts: number;
  /** How many of them that is the sum of. */
  readonly meters: number;
}

/** The newest power of these meters (system titles), added up; feeding in counts as load, since it is at stake as well. */
export async function loadOf(sql: Sql, scope: Scope, titles: readonly string[]): Promise<Load> {
  const found = await firstRow<{ watts: string; meters: string }>(
    sql,
    `select coalesce(sum(abs(l.power_w)), 0) as watts, count(l.power_w) as meters
     from meters m join meter_latest l using (utility_id, island_id, meter_id)
     where m.utility_id = $1 and m.island_id = $2 and m.system_title = any($3::bytea[])`,
    [...scope.place, titles.map((title) => Buffer.from(fromHex(title)))],
  );
  return { watts: Number(found?.watts ?? 0), meters: Number(found?.meters ?? 0) };
}
