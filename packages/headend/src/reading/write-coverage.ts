import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { POWER_CODES } from "../profile/event-codes.ts";
import type { Stretch } from "./coverage.ts";
import type { MeterRead } from "./meter-read.ts";

type OfMeter<T> = { readonly meter: MeterId } & T;

/**
 * Writes what meters answered, inside the caller's transaction and after their events: each interval of it is held, or lacks a
 * value of a channel. What lacks one is excused where the meter says that it had no power, doubted at the first answer and
 * absent at the second (ADR 0044). What a clock was moved over is uncovered.
 */
export async function writeCoverage(sql: Sql, scope: Scope, reads: readonly MeterRead[]): Promise<void> {
  const [answered, uncovered, lacking] = (["covered", "uncovered", "lacking"] as const).map((of) =>
    reads.flatMap(({ meter, read }) => (read?.[of] ?? []).map((stretch): OfMeter<Stretch> => ({ meter, ...stretch }))),
  ) as [OfMeter<Stretch>[], OfMeter<Stretch>[], OfMeter<Stretch>[]];
  const readTo = reads.filter(({ read }) => (read?.loggedTo ?? read?.daysTo) !== undefined);
  if (answered.length + uncovered.length + readTo.length > 0) {
    const all = [...answered, ...uncovered, ...lacking];
    await sql.query(ADD_COVERAGE, [
      ...scope.place,
      all.map(({ meter }) => meter),
      [...answered.map(() => "answered"), ...uncovered.map(() => "uncovered"), ...lacking.map(() => "lacking")],
      all.map(({ from }) => new Date(from)),
      all.map(({ to }) => new Date(to)),
      readTo.map(({ meter }) => meter),
      readTo.map(({ read }) => dateOf(read?.loggedTo)),
      readTo.map(({ read }) => dateOf(read?.daysTo)),
    ]);
  }
  const listed = reads.filter(({ read }) => read?.pushSetUps !== undefined);
  if (listed.length > 0)
    await sql.query(PUT_PUSH_SET_UPS, [
      ...scope.place,
      listed.map(({ meter }) => meter),
      listed.map(({ read }) => JSON.stringify(read?.pushSetUps)),
    ]);
  if (lacking.length > 0) await writeChannels(sql, scope, reads);
  const doubtful = reads.filter(({ read }) => read?.lacking !== undefined || read?.events?.some(isPower) === true);
  if (doubtful.length > 0) await excuse(sql, scope, doubtful);
}

function dateOf(at: number | undefined): Date | null {
  return at === undefined ? null : new Date(at);
}

function isPower({ category }: { readonly category: string }): boolean {
  return category === "power";
}

async function writeChannels(sql: Sql, scope: Scope, reads: readonly MeterRead[]): Promise<void> {
  const lacking = reads.flatMap(({ meter, read }) => (read?.lacking ?? []).map((one) => ({ meter, ...one })));
  await sql.query(ADD_CHANNELS, [
    ...scope.place,
    lacking.map(({ meter }) => meter),
    lacking.map(({ obis }) => obis),
    lacking.map(({ from }) => new Date(from)),
    lacking.map(({ to }) => new Date(to)),
  ]);
}

/** Excuses what meters lack of when they had no power, by the status of their rows and by their logs. */
async function excuse(sql: Sql, scope: Scope, reads: readonly MeterRead[]): Promise<void> {
  const periods = new Map(reads.map(({ meter, read }) => [meter, (read?.periodSeconds ?? 0) * 1000]));
  const told = await rows<{ meter_id: number; from_at: number; to_at: number }>(sql, SELECT_OUTAGES, [
    ...scope.place,
    [...periods.keys()],
    POWER_CODES.down,
    POWER_CODES.up,
  ]);
  const outages = [
    ...reads.flatMap(({ meter, read }) => (read?.outages ?? []).map((stretch) => ({ meter, ...stretch }))),
    ...told.map((row) => {
      const meter = row.meter_id as MeterId;
      return { meter, ...endedWithin({ from: row.from_at, to: row.to_at }, periods.get(meter) ?? 0) };
    }),
  ].filter(({ from, to }) => to > from);
  if (outages.length === 0) return;
  await sql.query(EXCUSE, [
    ...scope.place,
    outages.map(({ meter }) => meter),
    outages.map(({ from }) => new Date(from)),
    outages.map(({ to }) => new Date(to)),
  ]);
}

/** The intervals that ended while there was no power: at its going the last row may not have been stored. */
function endedWithin({ from, to }: Stretch, period: number): Stretch {
  if (period === 0) return { from, to: from };
  return { from: Math.floor((from - 1) / period) * period, to: Math.floor(to / period) * period };
}

/** An aggregate of what of the stretches is of one kind. */
const multirange = (kind: string): string =>
  `coalesce(range_agg(tstzrange(s.from_at, s.to_at, '(]')) filter (where s.kind = '${kind}'), '{}')`;

const ADD_COVERAGE = `
  with a as (
    select meter_id, ${multirange("answered")} as answered, ${multirange("lacking")} as lacking,
      ${multirange("uncovered")} as uncovered
    from unnest($3::integer[], $4::text[], $5::timestamptz[], $6::timestamptz[]) as s(meter_id, kind, from_at, to_at)
    group by meter_id
  ), n as (
    select meter_id, coalesce(a.answered, '{}') as answered, coalesce(a.lacking, '{}') as lacking,
      coalesce(a.uncovered, '{}') as uncovered, t.logged_to, t.days_to
    from a full join unnest($7::integer[], $8::timestamptz[], $9::timestamptz[]) as t(meter_id, logged_to, days_to)
      using (meter_id)
  ), channels as (
    update channel_absences h set absent = h.absent - (a.answered + a.uncovered), excused = h.excused - (a.answered + a.uncovered)
    from a where h.utility_id = $1 and h.island_id = $2 and h.meter_id = a.meter_id
  )
  update interval_coverage c set
    covered = c.covered - n.uncovered + (n.answered - (n.lacking - c.doubted)),
    doubted = c.doubted - (n.answered + n.uncovered) + (n.lacking - c.doubted),
    absent = c.absent - (n.answered + n.uncovered) + n.lacking * c.doubted,
    excused = c.excused - (n.answered + n.uncovered),
    recheck = c.recheck - n.answered,
    -- What a log says of the time that a clock was moved over may stand anywhere in it.
    logged_to = case when isempty(n.uncovered) then coalesce(n.logged_to, c.logged_to) end,
    days_to = greatest(c.days_to, n.days_to)
  from n
  where c.utility_id = $1 and c.island_id = $2 and c.meter_id = n.meter_id`;

const PUT_PUSH_SET_UPS = `
  update interval_coverage c set push_set_ups = array(select jsonb_array_elements_text(n.listed)), listed_at = now()
  from unnest($3::integer[], $4::jsonb[]) as n(meter_id, listed)
  where c.utility_id = $1 and c.island_id = $2 and c.meter_id = n.meter_id`;

// `ADD_COVERAGE` has taken out what this answer says anew.
const ADD_CHANNELS = `
  insert into channel_absences as h (utility_id, island_id, meter_id, obis, absent)
  select $1, $2, meter_id, obis, range_agg(tstzrange(from_at, to_at, '(]'))
  from unnest($3::integer[], $4::text[], $5::timestamptz[], $6::timestamptz[]) as s(meter_id, obis, from_at, to_at)
  group by meter_id, obis
  on conflict (utility_id, island_id, meter_id, obis) do update set absent = h.absent + excluded.absent`;

// From a power failure to the return that follows it.
const SELECT_OUTAGES = `
  with p as (
    select e.meter_id, e.at, e.code, lead(e.at) over w as next_at, lead(e.code) over w as next_code
    from interval_coverage c
    join meter_events e on (e.utility_id, e.island_id, e.meter_id) = (c.utility_id, c.island_id, c.meter_id)
      and e.at > lower(c.absent + c.doubted) - interval '30 days'
    where c.utility_id = $1 and c.island_id = $2 and c.meter_id = any($3::integer[]) and not isempty(c.absent + c.doubted)
      and e.category = 'power' and (e.code = any($4::integer[]) or e.code = any($5::integer[]))
    window w as (partition by e.meter_id order by e.at, e.code)
  )
  select meter_id, extract(epoch from at)::float8 * 1000 as from_at, extract(epoch from next_at)::float8 * 1000 as to_at
  from p where code = any($4::integer[]) and next_code = any($5::integer[])`;

const EXCUSE = `
  with o as (
    select meter_id, range_agg(tstzrange(from_at, to_at, '(]')) as outage
    from unnest($3::integer[], $4::timestamptz[], $5::timestamptz[]) as s(meter_id, from_at, to_at) group by meter_id
  ), channels as (
    update channel_absences h set absent = h.absent - o.outage, excused = h.excused + h.absent * o.outage
    from o where h.utility_id = $1 and h.island_id = $2 and h.meter_id = o.meter_id and h.absent && o.outage
  )
  update interval_coverage c set
    covered = c.covered + c.doubted * o.outage,
    doubted = c.doubted - o.outage,
    absent = c.absent - o.outage,
    excused = c.excused + (c.absent + c.doubted) * o.outage
  from o
  where c.utility_id = $1 and c.island_id = $2 and c.meter_id = o.meter_id and (c.absent + c.doubted) && o.outage`;
