import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql } from "../database/sql.ts";
import type { Meter } from "../inventory/meter.ts";
import { gapsOf, intervalsIn, type WantedWindow, wantedTable, wantedValues } from "../reading/gaps.ts";

/** Intervals that the head-end should hold of a meter by now and does not, as the scheduler sees it. */
export interface MissingIntervals {
  readonly load: number;
  /** Of its power quality; undefined where none is wanted. */
  readonly quality: number | undefined;
}

/** How many intervals are missing of a meter. */
export async function missingIntervals(
  sql: Sql,
  scope: Scope,
  meter: Meter,
  wanted: readonly WantedWindow[],
): Promise<MissingIntervals> {
  const row = await firstRow<{ load: string; quality: string | null }>(sql, SELECT_MISSING, [
    ...scope.place,
    meter.id,
    ...wantedValues(wanted),
  ]);
  const quality = row?.quality ?? undefined;
  return { load: Number(row?.load ?? 0), quality: quality === undefined ? undefined : Number(quality) };
}

const SELECT_MISSING = `
  with ${wantedTable(4)}
  select ${intervalsIn(gapsOf("load"), "load")} as load,
    case when w.quality_period_seconds is not null then ${intervalsIn(gapsOf("quality"), "quality")} end as quality
  from meters m
  join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
    and t.phase <> 'left'
  join wanted w on (w.kind, w.profile) = (m.kind, m.profile)
  join interval_coverage c on (c.utility_id, c.island_id, c.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  where m.utility_id = $1 and m.island_id = $2 and m.meter_id = $3`;
