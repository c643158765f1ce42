import type { FleetFacts, PartFacts, PrincipalFacts } from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { UNKNOWN_LOAD_W } from "./expansion.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The fleet and what was done to it, or is on its way. */
export async function fleetFacts(
  sql: Sql,
  scope: Scope,
  now: number,
  { frozen, clockJumpMilliseconds }: Pick<FleetFacts, "frozen" | "clockJumpMilliseconds">,
): Promise<FleetFacts> {
  const [parts, off, signs] = await Promise.all([
    rows<PartRow>(sql, PARTS, [...scope.place, at(now - HOUR), at(now - 10 * MINUTE), UNKNOWN_LOAD_W]),
    firstRow<OffRow>(sql, OFF, [...scope.place, at(now - 10 * MINUTE), at(now - DAY), at(now - 30 * DAY)]),
    firstRow<{ changes: string }>(sql, SIGN_CHANGES, [...scope.place, at(now - 5 * MINUTE)]),
  ]);
  const transformers = new Map<string, PartFacts>();
  const feeders = new Map<string, PartFacts>();
  let [meters, loadW] = [0, 0];
  for (const row of parts) {
    meters += Number(row.meters);
    loadW += Number(row.load_w);
    add(feeders, row.feeder_id, row, undefined);
    add(transformers, row.transformer_id, row, row.rated_kva === null ? undefined : row.rated_kva * 1000);
  }
  return {
    meters,
    loadW: Math.round(loadW),
    off: {
      tenMinutes: Number(off?.ten ?? 0),
      day: Number(off?.day ?? 0),
      month: Number(off?.month ?? 0),
      loadInTenMinutesW: Number(off?.ten_load ?? 0),
    },
    transformers,
    feeders,
    signChanges: Number(signs?.changes ?? 0),
    frozen,
    clockJumpMilliseconds,
  };
}

function add(parts: Map<string, PartFacts>, id: string | null, row: PartRow, ratedW: number | undefined): void {
  if (id === null) return;
  const known = parts.get(id);
  parts.set(id, {
    meters: (known?.meters ?? 0) + Number(row.meters),
    ratedW: known?.ratedW ?? ratedW,
    offInHour: (known?.offInHour ?? 0) + Number(row.off_hour),
    offLoadInTenMinutesW: (known?.offLoadInTenMinutesW ?? 0) + Number(row.off_load),
  });
}

/** What somebody is used to ask for. What was quarantined is no habit. */
export async function principalFacts(sql: Sql, scope: Scope, requester: string, now: number): Promise<PrincipalFacts> {
  const hours = await rows<{ hour: Date; meters: string; operations: readonly string[]; now: boolean }>(sql, HABIT, [
    ...scope.place,
    requester,
    at(now - 28 * DAY),
    at(now),
  ]);
  return {
    hours: hours.filter((row) => !row.now).map(({ meters }) => Number(meters)),
    thisHour: Number(hours.find((row) => row.now)?.meters ?? 0),
    operations: new Set(hours.flatMap(({ operations }) => operations)),
  };
}

interface PartRow {
  readonly feeder_id: string | null;
  readonly transformer_id: string | null;
  readonly rated_kva: number | null;
  readonly meters: string;
  readonly load_w: string;
  readonly off_hour: string;
  readonly off_load: string;
}

interface OffRow {
  readonly ten: string;
  readonly day: string;
  readonly month: string;
  readonly ten_load: string;
}

const at = (milliseconds: number): Date => new Date(milliseconds);

/** A target that was switched off, or that will be if nobody stops it. */
const OFF_TARGETS = `campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
  where ct.utility_id = $1 and ct.island_id = $2 and c.direction = 'off'`;
const ON_ITS_WAY = `(ct.attempted_at is null and ct.state in ('waiting', 'dispatched')
  and c.state in ('awaiting-approval', 'running', 'paused'))`;

const PARTS = `
  with off as (
    select ct.feeder, ct.transformer, count(*) as hour,
      coalesce(sum(ct.load_w) filter (where ct.attempted_at > $4 or ${ON_ITS_WAY}), 0) as load
    from ${OFF_TARGETS} and (ct.attempted_at > $3 or ${ON_ITS_WAY})
    group by 1, 2
  )
  select m.feeder_id, m.transformer_id, tf.rated_kva, count(*) as meters,
    sum(greatest(coalesce(l.power_w, $5::integer), 0)) as load_w,
    coalesce(max(off.hour), 0) as off_hour, coalesce(max(off.load), 0) as off_load
  from meters m
  left join meter_latest l using (utility_id, island_id, meter_id)
  left join transformers tf using (utility_id, island_id, transformer_id)
  left join off on off.feeder = coalesce(m.feeder_id, '') and off.transformer = coalesce(m.transformer_id, '')
  where m.utility_id = $1 and m.island_id = $2 and m.role = 'home'
  group by 1, 2, 3`;

const OFF = `
  select count(*) filter (where ct.attempted_at > $3) as ten,
    coalesce(sum(ct.load_w) filter (where ct.attempted_at > $3), 0) as ten_load,
    count(*) filter (where ct.attempted_at > $4 or ct.attempted_at is null) as day,
    count(*) as month
  from ${OFF_TARGETS} and (ct.attempted_at > $5 or ${ON_ITS_WAY})`;

const SIGN_CHANGES = `
  select count(*) filter (where before <> direction) as changes from (
    select c.direction, lag(c.direction) over (order by ct.attempted_at, ct.meter_id) as before
    from campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
    where ct.utility_id = $1 and ct.island_id = $2 and c.direction <> 'none' and ct.attempted_at > $3
  ) moves`;

const HABIT = `
  select date_trunc('hour', created_at) as hour, sum(targets) as meters, array_agg(distinct operation) as operations,
    date_trunc('hour', created_at) = date_trunc('hour', $5::timestamptz) as now
  from campaigns
  where utility_id = $1 and island_id = $2 and requester = $3 and created_at > $4 and state <> 'quarantined'
    and command_class <> 'C0'
  group by 1 order by 1`;
