import type { FeederLine, SupplyState, TrustStateName } from "@meterkeep/api";
import { METER_KINDS, type MeterKind, type OverviewCounts, TAKEOVER_STAGES, TRUST_STATES } from "@meterkeep/api";
import type { TakeoverPhase, TakeoverVerdict } from "@meterkeep/api/custodian";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { METER_PROFILES } from "../profile/meter-profile.ts";
import { takeoverStage } from "../takeover/view.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { allowedSilenceSeconds, SUPPLY } from "./meter-summary.ts";
import { optional, optionalTime } from "./time-text.ts";

type ClockOf = (kind: MeterKind) => SourceClock;

/** Totals of the town, counted where its lines are: of a large fleet nobody needs the lines themselves. */
export async function overviewCounts(
  sql: Sql,
  scope: Scope,
  clockOf: ClockOf,
  now: number,
  strangers: number,
  since: Date,
): Promise<OverviewCounts> {
  const found = await rows<CountRow>(sql, COUNT_METERS, [...scope.place, ...silenceValues(clockOf, now)]);
  const sessions = await firstRow<{ count: string }>(
    sql,
    "select count(*) from sessions where utility_id = $1 and island_id = $2 and started_at >= $3",
    [...scope.place, since],
  );
  const sum = (pick: (row: CountRow) => string): number => found.reduce((all, row) => all + Number(pick(row)), 0);
  const count = (test: (row: CountRow) => boolean): number => sum((row) => (test(row) ? row.meters : "0"));
  return {
    meters: count(() => true),
    simulated: count((row) => row.kind === "simulated"),
    real: count((row) => row.kind === "real"),
    atTransformers: count((row) => row.at_transformer),
    connected: count((row) => row.supply === "connected"),
    disconnected: count((row) => row.supply === "disconnected"),
    stale: count((row) => row.stale),
    strangers,
    intervalsTrusted: sum((row) => (row.state === "trusted" ? row.trusted_intervals : "0")),
    intervalsAll: sum((row) => row.intervals),
    sessionsToday: Number(sessions?.count ?? 0),
    byTrust: Object.fromEntries(TRUST_STATES.map((state) => [state, count((row) => row.state === state)])),
    byTakeover: Object.fromEntries(
      TAKEOVER_STAGES.map((stage) => [stage, count((row) => takeoverStage(row.phase, row.verdict) === stage)]),
    ),
  };
}

/** The feeders of a fleet that is too large for a line of each meter, as the grid has them. */
export async function feederLines(
  sql: Sql,
  scope: Scope,
  clockOf: ClockOf,
  now: number,
): Promise<readonly FeederLine[]> {
  const found = await rows<FeederRow>(sql, COUNT_FEEDERS, [...scope.place, ...silenceValues(clockOf, now)]);
  return found.map((row) => ({
    id: row.feeder_id,
    name: row.name,
    homes: Number(row.homes),
    connected: Number(row.connected),
    disconnected: Number(row.disconnected),
    stale: Number(row.stale),
    quarantined: Number(row.quarantined),
    ...optional("transformerMeter", row.transformer_meter),
    ...optional("loadW", row.load_w),
    ...optionalTime("loadAt", row.load_at),
    ...optional("loadTrust", row.load_trust),
  }));
}

/** Before which moment a newest reading is stale, by kind and by what `SILENCE` joins. */
function silenceValues(clockOf: ClockOf, now: number): unknown[] {
  const names = [...Object.keys(METER_PROFILES), ATTACHED, UNKNOWN];
  const all = METER_KINDS.flatMap((kind) =>
    names.map((name) => {
      const seconds = allowedSilenceSeconds(name === ATTACHED ? "attached" : "home", name);
      return { kind, name, before: new Date(clockOf(kind).atSource(now) - seconds * 1000) };
    }),
  );
  return [all.map(({ kind }) => kind), all.map(({ name }) => name), all.map(({ before }) => before)];
}

const [ATTACHED, UNKNOWN] = ["attached", "unknown"];

interface CountRow {
  readonly kind: MeterKind;
  readonly at_transformer: boolean;
  readonly phase: TakeoverPhase;
  readonly verdict: TakeoverVerdict;
  readonly state: TrustStateName;
  readonly supply: SupplyState;
  readonly stale: boolean;
  readonly meters: string;
  readonly intervals: string;
  readonly trusted_intervals: string;
}

interface FeederRow {
  readonly feeder_id: string;
  readonly name: string;
  readonly homes: string;
  readonly connected: string;
  readonly disconnected: string;
  readonly stale: string;
  readonly quarantined: string;
  readonly transformer_meter: string | null;
  readonly load_w: number | null;
  readonly load_at: Date | null;
  readonly load_trust: TrustStateName | null;
}

/** The table `silence s` of a statement, of its parameters from the third on. */
const SILENCE = `silence(kind, name, before_at) as (
    select * from unnest($3::text[], $4::text[], $5::timestamptz[]))`;

/** A line of each meter with the moment before which it is stale. */
const LINES = `meters m
  join takeovers t using (utility_id, island_id, meter_id)
  join trust tr using (utility_id, island_id, meter_id)
  join meter_latest l using (utility_id, island_id, meter_id)
  join silence s on s.kind = m.kind and s.name = case when m.role = 'attached' then '${ATTACHED}'
    when exists (select from silence k where k.name = m.profile) then m.profile else '${UNKNOWN}' end
  where m.utility_id = $1 and m.island_id = $2`;

const IS_STALE = "(t.phase <> 'left' and (l.reading_at is null or l.reading_at < s.before_at))";

const COUNT_METERS = `
  with ${SILENCE}
  select m.kind, m.role = 'transformer' as at_transformer, t.phase, t.verdict, tr.state, ${SUPPLY} as supply,
    ${IS_STALE} as stale, count(*) as meters, coalesce(sum(l.interval_count), 0) as intervals,
    coalesce(sum(l.trusted_interval_count), 0) as trusted_intervals
  from ${LINES} group by 1, 2, 3, 4, 5, 6, 7`;

const COUNT_FEEDERS = `
  with ${SILENCE}, counted as (
    select m.feeder_id, count(*) filter (where m.role = 'home') as homes,
      count(*) filter (where m.role = 'home' and l.supply = 'connected') as connected,
      count(*) filter (where m.role = 'home' and l.supply = 'disconnected') as disconnected,
      count(*) filter (where ${IS_STALE}) as stale,
      count(*) filter (where tr.state in ('quarantined', 'distrusted', 'degraded')) as quarantined,
      max(m.meter_id) filter (where m.role = 'transformer') as transformer_meter
    from ${LINES} and m.feeder_id is not null group by m.feeder_id
  )
  select f.feeder_id, f.name, coalesce(c.homes, 0) as homes, coalesce(c.connected, 0) as connected,
    coalesce(c.disconnected, 0) as disconnected, coalesce(c.stale, 0) as stale, coalesce(c.quarantined, 0) as quarantined,
    upper(encode(m.system_title, 'hex')) as transformer_meter, l.power_w as load_w, l.reading_at as load_at,
    tr.state as load_trust
  from feeders f
  left join counted c on c.feeder_id = f.feeder_id
  left join meters m on (m.utility_id, m.island_id, m.meter_id) = (f.utility_id, f.island_id, c.transformer_meter)
  left join meter_latest l on (l.utility_id, l.island_id, l.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  left join trust tr on (tr.utility_id, tr.island_id, tr.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  where f.utility_id = $1 and f.island_id = $2 order by f.position`;
