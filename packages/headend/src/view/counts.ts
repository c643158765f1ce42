import { type MeterSummary, type OverviewCounts, TAKEOVER_STAGES, TRUST_STATES } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql } from "../database/sql.ts";

/** Totals of the town: most of them from the lines themselves, the rest from two quick statements. */
export async function overviewCounts(
  sql: Sql,
  scope: Scope,
  meters: readonly MeterSummary[],
  strangers: number,
  since: Date,
): Promise<OverviewCounts> {
  const totals = await firstRow<{ all: string; trusted: string }>(sql, COUNT_INTERVALS, [...scope.place]);
  const sessions = await firstRow<{ count: string }>(
    sql,
    "select count(*) from sessions where utility_id = $1 and island_id = $2 and started_at >= $3",
    [...scope.place, since],
  );
  const count = (test: (meter: MeterSummary) => boolean): number => meters.filter(test).length;
  return {
    meters: meters.length,
    simulated: count((meter) => meter.kind === "simulated"),
    real: count((meter) => meter.kind === "real"),
    connected: count((meter) => meter.supply === "connected"),
    disconnected: count((meter) => meter.supply === "disconnected"),
    stale: count((meter) => meter.stale),
    strangers,
    intervalsTrusted: Number(totals?.trusted ?? 0),
    intervalsAll: Number(totals?.all ?? 0),
    sessionsToday: Number(sessions?.count ?? 0),
    byTrust: Object.fromEntries(TRUST_STATES.map((state) => [state, count((meter) => meter.trust === state)])),
    byTakeover: Object.fromEntries(TAKEOVER_STAGES.map((stage) => [stage, count((meter) => meter.takeover === stage)])),
  };
}

const COUNT_INTERVALS = `
  select coalesce(sum(l.interval_count), 0) as all,
    coalesce(sum(l.trusted_interval_count) filter (where t.state = 'trusted'), 0) as trusted
  from meter_latest l join trust t using (utility_id, island_id, meter_id)
  where l.utility_id = $1 and l.island_id = $2`;
