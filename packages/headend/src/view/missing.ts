import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { Meter } from "../inventory/meter.ts";
import { findMeterProfile } from "../profile/meter-profile.ts";
import { desiredWindow, intervalCount, missing } from "../reading/coverage.ts";
import type { SourceClock } from "../time/source-clock.ts";

/** After the end of an interval a meter may take this long to store it, seconds at the source. */
export const SETTLE_SECONDS = 30;

/** How many intervals the head-end should hold of a meter by now and does not: the query that the scheduler uses too. */
export async function missingIntervals(
  sql: Sql,
  scope: Scope,
  meter: Meter,
  clock: SourceClock,
  now: number,
  days: number,
): Promise<number> {
  const profile = findMeterProfile(meter.profile);
  if (profile === undefined) return 0;
  const { periodSeconds } = profile.loadProfile;
  const stretches = await rows<{ from: number; to: number }>(
    sql,
    `select extract(epoch from lower(r)) * 1000 as "from", extract(epoch from upper(r)) * 1000 as "to"
     from interval_coverage c, unnest(c.covered) r
     where c.utility_id = $1 and c.island_id = $2 and c.meter_id = $3 order by r`,
    [...scope.place, meter.id],
  );
  const covered = stretches.map(({ from, to }) => ({ from: Number(from), to: Number(to) }));
  const window = desiredWindow(clock.atSource(now), { days, settleSeconds: SETTLE_SECONDS }, periodSeconds);
  return intervalCount(missing(covered, window), periodSeconds);
}
