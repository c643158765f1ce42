import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import { gapsOf, type WantedWindow, wantedTable, wantedValues } from "../reading/gaps.ts";
import { CLOCK_LIMITS } from "../time/clock-check.ts";
import { LANES } from "./lease.ts";
import { WORK_CHANNEL } from "./presence.ts";

/**
 * Makes every meter due that has gaps and is not due again for as long as two periods: when more days are wanted than
 * before, when evidence was deleted, or whatever else left it asleep. Who failed keeps its backoff; one whose clock is far off
 * cannot give what is wanted before that is mended, and comes in its turn. @returns how many
 */
export async function sweepGaps(sql: Sql, scope: Scope, wanted: readonly WantedWindow[], now: number): Promise<number> {
  const { rowCount } = await sql.query(SWEEP, [...scope.place, new Date(now), ...wantedValues(wanted)]);
  const swept = rowCount ?? 0;
  if (swept > 0) await sql.query(`notify ${WORK_CHANNEL}`);
  return swept;
}

const SWEEP = `
  with ${wantedTable(4)}
  update work set due_at = $3, lane = least(work.lane, ${LANES.reading})
  from meters m
    join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
    join interval_coverage c on (c.utility_id, c.island_id, c.meter_id) = (m.utility_id, m.island_id, m.meter_id)
    join meter_latest l on (l.utility_id, l.island_id, l.meter_id) = (m.utility_id, m.island_id, m.meter_id)
    join wanted w on (w.kind, w.profile) = (m.kind, m.profile)
  where work.utility_id = $1 and work.island_id = $2 and work.leased_by is null and work.attempts = 0
    and work.due_at > $3::timestamptz + make_interval(secs => 2 * w.period_seconds)
    and m.utility_id = $1 and m.island_id = $2 and m.meter_id = work.meter_id and m.role <> 'attached'
    and t.phase = 'done' and (not isempty(${gapsOf("load")}) or not isempty(${gapsOf("quality")}))
    and coalesce(abs(l.clock_offset_seconds), 0) <= ${CLOCK_LIMITS.setSeconds}`;
