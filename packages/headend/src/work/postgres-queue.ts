import type { TrustStateName } from "@meterkeep/api";
import type { TakeoverPhase, TakeoverVerdict } from "@meterkeep/api/custodian";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { METER_COLUMNS, type MeterRow, meterOfRow } from "../inventory/meter.ts";
import {
  ASKED,
  gapsOf,
  type StretchesJson,
  stretchesJson,
  stretchesOf,
  type WantedAt,
  wantedTable,
  wantedValues,
} from "../reading/gaps.ts";
import { isOverBudget, isOverDemandShare } from "../route/sim-traffic.ts";
import { SESSION_BACKOFF } from "./backoff.ts";
import {
  LANES,
  type Lane,
  type Lease,
  type NextDue,
  ON_DEMAND_SECONDS,
  type OnDemand,
  READING_SHARE,
  type WorkQueue,
} from "./lease.ts";
import { askedText, WORK_CHANNEL } from "./presence.ts";

/**
 * The queue in the table `work`. What is `wanted` of a meter and not held comes with its lease; where nothing is wanted,
 * as by who only makes meters due, leases have no gaps.
 */
export function postgresWorkQueue(sql: Sql, scope: Scope, wanted: WantedAt = () => []): WorkQueue {
  return {
    async lease(owner, { any, onDemand }, now, leaseSeconds) {
      const leased = await rows<LeaseRow>(sql, LEASE, [
        ...scope.place,
        owner,
        any,
        new Date(now),
        leaseSeconds,
        onDemand,
        ...wantedValues(wanted(now)),
      ]);
      return leased.map(leaseOfRow);
    },
    async enrol(meters, at, lane) {
      await sql.query(ENROL, [...scope.place, meters, timeText(at), lane]);
      await sql.query(TELL_WORKERS);
    },
    async release(ref, next) {
      const released = await sql.query(RELEASE, [
        ...scope.place,
        [ref.meter],
        [ref.epoch.toString()],
        [dueText(next)],
        [next.lane],
        [next.attempts],
        [next.code ?? null],
        [next.onDemand ?? null],
      ]);
      return released.rowCount === 1;
    },
    async abandon(owner, held, now) {
      const { firstSeconds, ceilingSeconds } = SESSION_BACKOFF;
      await sql.query(ABANDON, [...scope.place, owner, held, new Date(now), firstSeconds / 2, ceilingSeconds / 2]);
    },
    async due(meters, at, lane, onDemand) {
      await sql.query(MAKE_DUE, [...scope.place, meters, timeText(at), lane, onDemand ?? null]);
      if (lane === LANES.onDemand) await sql.query(TELL_OF_ASKED, [askedText(scope, meters)]);
      else await sql.query(TELL_WORKERS);
    },
    async nextDue() {
      const row = await firstRow<{ at: Date | null }>(
        sql,
        `select min(due_at) as at from work
         where utility_id = $1 and island_id = $2 and leased_by is null and due_at < 'infinity'`,
        [...scope.place],
      );
      return row?.at?.getTime();
    },
  };
}

/** An instant for a `timestamptz`; what never comes is `infinity`. */
export function timeText(at: number): string {
  return Number.isFinite(at) ? new Date(at).toISOString() : "infinity";
}

export function dueText(next: NextDue): string {
  return timeText(next.dueAt);
}

/** Ends leases, all in one statement; what was asked for meanwhile stays due: `$3` meters, `$4` epochs, `$5` due, `$6` lanes, `$7` attempts, `$8` codes, `$9` what stays asked for. */
export const RELEASE = `
  update work w set leased_by = null, leased_until = null, attempts = r.attempts, last_code = r.code, again = false,
    due_at = case when w.again then least(w.due_at, r.due_at) else r.due_at end,
    lane = case when w.again then least(w.lane, r.lane) else r.lane end,
    on_demand = case when w.again then w.on_demand else r.on_demand end
  from unnest($3::integer[], $4::bigint[], $5::timestamptz[], $6::smallint[], $7::smallint[], $8::text[], $9::text[])
    as r(meter_id, epoch, due_at, lane, attempts, code, on_demand)
  where w.utility_id = $1 and w.island_id = $2 and w.meter_id = r.meter_id and w.epoch = r.epoch
    and w.leased_by is not null
  returning w.meter_id, w.epoch, extract(epoch from w.due_at)::float8 * 1000 as due_at, w.lane`;

const ABANDON = `
  update work set leased_by = null, leased_until = null, attempts = least(attempts + 1, 1000),
    due_at = greatest(due_at,
      $5::timestamptz + make_interval(secs => least($7::double precision, $6::double precision * 2 ^ least(attempts, 30))))
  where utility_id = $1 and island_id = $2 and leased_by = $3 and not meter_id = any($4::integer[])`;

const ENROL = `
  insert into work (utility_id, island_id, meter_id, lane, due_at)
  select $1, $2, meter_id, $5, $4::timestamptz from unnest($3::integer[]) as d(meter_id)
  on conflict do nothing`;

const TELL_WORKERS = `notify ${WORK_CHANNEL}`;
const TELL_OF_ASKED = `select pg_notify('${WORK_CHANNEL}', $1)`;

const MAKE_DUE = `
  insert into work (utility_id, island_id, meter_id, lane, due_at, on_demand, asked_at)
  select distinct $1::smallint, $2::smallint, meter_id, $5::smallint, $4::timestamptz, $6::text,
    case when $6 is not null then $4::timestamptz end
  from unnest($3::integer[]) as d(meter_id)
  on conflict (utility_id, island_id, meter_id) do update set due_at = least(work.due_at, excluded.due_at),
    lane = least(work.lane, excluded.lane), on_demand = coalesce(excluded.on_demand, work.on_demand),
    asked_at = coalesce(excluded.asked_at, work.asked_at),
    again = work.leased_by is not null`;

// A lease lasts by the clock of the database, whatever time it is at the worker: one that is ahead takes what is due a little
// early, and never what somebody holds.
const IS_DUE = `utility_id = $1 and island_id = $2 and due_at <= $5 and (leased_until is null or leased_until <= now())`;

const LEASE = `
  with ${wantedTable(8)}, waiting as (
    select count(*) from (
      select from work where ${IS_DUE} and lane = ${LANES.reading} limit $4::integer / ${READING_SHARE}) w
  ), asked as (
    select meter_id from work where ${IS_DUE} and lane = ${LANES.onDemand}
    order by due_at limit $4::integer - (table waiting) + $7::integer for update skip locked
  ), taken_over as (
    select meter_id from work where ${IS_DUE} and lane = ${LANES.takeover}
    order by due_at limit greatest(0, $4::integer - (table waiting) - (select count(*) from asked)) for update skip locked
  ), ordinary as (
    select meter_id from work where ${IS_DUE} and lane = ${LANES.reading}
    order by due_at limit greatest((table waiting),
      $4::integer - (select count(*) from asked) - (select count(*) from taken_over)) for update skip locked
  ), picked as (
    select meter_id from asked union all select meter_id from taken_over union all select meter_id from ordinary
  ), leased as (
    update work w set epoch = w.epoch + 1, leased_by = $3, leased_until = now() + make_interval(secs => $6), again = false,
      -- A lease that ran out has ended its worker, or its worker it: that counts as a failure.
      attempts = case when w.leased_by is null then w.attempts else least(w.attempts + 1, 1000) end
    from picked where w.utility_id = $1 and w.island_id = $2 and w.meter_id = picked.meter_id
    returning w.meter_id, w.epoch, w.attempts, w.lane, w.due_at, case
      when w.asked_at >= $5::timestamptz - interval '${ON_DEMAND_SECONDS} seconds' then w.on_demand end as on_demand
  )
  select ${METER_COLUMNS}, l.epoch, l.lane, l.attempts, l.on_demand, t.phase, t.verdict, tr.state, tr.reason,
    (select jsonb_agg(jsonb_build_array(extract(epoch from h.effective) * 1000, h.state) order by h.change_id)
     from trust_history h
     where h.utility_id = $1 and h.island_id = $2 and h.meter_id = m.meter_id) as history,
    ${stretchesJson(ASKED)} as gaps, ${stretchesJson(gapsOf("quality"))} as quality_gaps,
    extract(epoch from c.logged_to)::float8 * 1000 as logged_to,
    extract(epoch from c.days_to)::float8 * 1000 as days_to, c.push_set_ups,
    extract(epoch from c.listed_at)::float8 * 1000 as listed_at, ${isOverBudget("$5")} as sim_used_up,
    ${isOverDemandShare("$5")} as sim_share_used
  from leased l
  join meters m on m.utility_id = $1 and m.island_id = $2 and m.meter_id = l.meter_id
  left join feeders f on (f.utility_id, f.island_id, f.feeder_id) = (m.utility_id, m.island_id, m.feeder_id)
  join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  join trust tr on (tr.utility_id, tr.island_id, tr.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  join interval_coverage c on (c.utility_id, c.island_id, c.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  left join wanted w on (w.kind, w.profile) = (m.kind, m.profile)
  order by l.lane, l.due_at`;

interface LeaseRow extends MeterRow {
  readonly epoch: string;
  readonly lane: Lane;
  readonly attempts: number;
  readonly on_demand: OnDemand | null;
  readonly phase: TakeoverPhase;
  readonly verdict: TakeoverVerdict;
  readonly state: TrustStateName;
  readonly reason: string;
  readonly history: readonly (readonly [number, TrustStateName])[] | null;
  readonly gaps: StretchesJson;
  readonly quality_gaps: StretchesJson;
  readonly logged_to: number | null;
  readonly days_to: number | null;
  readonly push_set_ups: readonly string[] | null;
  readonly listed_at: number | null;
  readonly sim_used_up: boolean;
  readonly sim_share_used: boolean;
}

function leaseOfRow(row: LeaseRow): Lease {
  return {
    meter: meterOfRow(row),
    epoch: BigInt(row.epoch),
    lane: row.lane,
    attempts: row.attempts,
    onDemand: row.on_demand ?? undefined,
    takeover: { phase: row.phase, verdict: row.verdict },
    trust: { state: row.state, reason: row.reason },
    trustHistory: (row.history ?? []).map(([effective, state]) => ({ effective, state })),
    gaps: stretchesOf(row.gaps),
    ...(row.quality_gaps === null ? {} : { qualityGaps: stretchesOf(row.quality_gaps) }),
    ...(row.logged_to === null ? {} : { loggedTo: row.logged_to }),
    ...(row.days_to === null ? {} : { daysTo: row.days_to }),
    ...(row.sim_used_up ? { isSimUsedUp: true } : {}),
    ...(row.sim_share_used ? { isSimShareUsed: true } : {}),
    ...(row.push_set_ups === null || row.listed_at === null
      ? {}
      : { pushSetUps: { listed: row.push_set_ups, at: row.listed_at } }),
  };
}
