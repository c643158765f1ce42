import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql } from "../database/sql.ts";
import type { Meter } from "../inventory/meter.ts";
import { GAPS, intervalsIn, type WantedWindow, wantedTable, wantedValues } from "../reading/gaps.ts";

/** How many intervals the head-end should hold of a meter by now and does not, as the scheduler sees it. */
export async function missingIntervals(
  sql: Sql,
  scope: Scope,
  meter: Meter,
  wanted: readonly WantedWindow[],
): Promise<number> {
  const row = await firstRow<{ missing: string }>(sql, SELECT_MISSING, [
    ...scope.place,
    meter.id,
    ...wantedValues(wanted),
  ]);
  return Number(row?.missing ?? 0);
}

const SELECT_MISSING = `
  with ${wantedTable(4)}
  select ${intervalsIn(GAPS)} as missing
  from meters m
  join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
    and t.phase <> 'left'
  join wanted w on (w.kind, w.profile) = (m.kind, m.profile)
  join interval_coverage c on (c.utility_id, c.island_id, c.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  where m.utility_id = $1 and m.island_id = $2 and m.meter_id = $3`;
