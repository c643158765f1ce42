import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { POWER_CODES } from "../profile/event-codes.ts";
import type { Stretch } from "./coverage.ts";
import { KEPT_PROFILES, type KeptProfile } from "./gaps.ts";
import type { MeterRead } from "./meter-read.ts";
import type { ReadResult } from "./result.ts";

type OfMeter<T> = { readonly meter: MeterId } & T;

/**
 * Writes what meters answered, inside the caller's transaction and after their events: each interval of it is held, or lacks a
 * value of a channel. What lacks one is excused where the meter says that it had no power, doubted at the first answer and
 * absent at the second (ADR 0044). What a clock was moved over is uncovered. The same of power quality, by whole rows.
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
  const quality = reads.flatMap(({ meter, read }) => {
    const { covered = [], lacking: without = [] } = read?.qualityAnswered ?? {};
    return [
      ...covered.map((stretch) => ({ meter, kind: "answered", ...stretch })),
      ...without.map((stretch) => ({ meter, kind: "lacking", ...stretch })),
      ...(read?.uncovered ?? []).map((stretch) => ({ meter, kind: "uncovered", ...stretch })),
    ];
  });
  if (quality.length > 0)
    await sql.query(ADD_QUALITY, [
      ...scope.place,
      quality.map(({ meter }) => meter),
      quality.map(({ kind }) => kind),
      quality.map(({ from }) => new Date(from)),
      quality.map(({ to }) => new Date(to)),
    ]);
  const listed = reads.filter(({ read }) => read?.pushSetUps !== undefined);
  if (listed.length > 0)
    await sql.query(PUT_PUSH_SET_UPS, [
      ...scope.place,
      listed.map(({ meter }) => meter),
      listed.map(({ read }) => JSON.stringify(read?.pushSetUps)),
    ]);
  if (lacking.length > 0) await writeChannels(sql, scope, reads);
  const tellsOutage = ({ read }: MeterRead): boolean => read?.events?.some(isPower) === true;
  for (const [profile, lacks, periodOf] of [
    ["load", (read: ReadResult) => read.lacking !== undefined, (read: ReadResult) => read.periodSeconds],
    [
      "quality",
      (read: ReadResult) => (read.qualityAnswered?.lacking.length ?? 0) > 0,
      (read: ReadResult) => read.qualityAnswered?.periodSeconds,
    ],
  ] as const) {
    const doubtful = reads.filter((one) => one.read !== undefined && (lacks(one.read) || tellsOutage(one)));
    const periods = new Map(doubtful.map(({ meter, read }) => [meter, ((read && periodOf(read)) ?? 0) * 1000]));
    if (doubtful.length > 0) await excuse(sql, scope, profile, doubtful, periods);
  }
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

/** Excuses what meters lack of a profile when they had no power, by the status of their load profile's rows and by their logs. */
async function excuse(
  sql: Sql,
  scope: Scope,
  profile: KeptProfile,
  reads: readonly MeterRead[],
  /** Of the profile, milliseconds; 0 where nobody knows. */
  periods: ReadonlyMap<MeterId, number>,
): Promise<void> {
  const told = await rows<{ meter_id: number; from_at: number; to_at: number }>(sql, SELECT_OUTAGES[profile], [
    ...scope.place,
    [...periods.keys()],
    POWER_CODES.down,
    POWER_CODES.up,
  ]);
  const outages = [
    ...reads.flatMap(({ meter, read }) =>
      (read?.outages ?? []).map((stretch) => ({ meter, ...onGrid(stretch, periods.get(meter) ?? 0) })),
    ),
    ...told.map((row) => {
      const meter = row.meter_id as MeterId;
      return { meter, ...endedWithin({ from: row.from_at, to: row.to_at }, periods.get(meter) ?? 0) };
    }),
  ].filter(({ from, to }) => to > from);
  if (outages.length === 0) return;
  await sql.query(EXCUSE[profile], [
    ...scope.place,
    outages.map(({ meter }) => meter),
    outages.map(({ from }) => new Date(from)),
    outages.map(({ to }) => new Date(to)),
  ]);
}

/** The intervals of a profile that end in a stretch of another one's. */
function onGrid({ from, to }: Stretch, period: number): Stretch {
  if (period === 0) return { from, to };
  return { from: Math.floor(from / period) * period, to: Math.floor(to / period) * period };
}

/** The intervals that ended while there was no power: at its going the last row may not have been stored. */
function endedWithin({ from, to }: Stretch, period: number): Stretch {
  if (period === 0) return { from, to: from };
  return { from: Math.floor((from - 1) / period) * period, to: Math.floor(to / period) * period };
}

/** An aggregate of what of the stretches is of one kind. */
const multirange = (kind: string): string =>
  `coalesce(range_agg(tstzrange(s.from_at, s.to_at, '(]')) filter (where s.kind = '${kind}'), '{}')`;

/** Stretches of each kind by meter, of the parameters from `$3` on: meters, kinds, from, to. */
const ANSWERS = `
    select meter_id, ${multirange("answered")} as answered, ${multirange("lacking")} as lacking,
      ${multirange("uncovered")} as uncovered
    from unnest($3::integer[], $4::text[], $5::timestamptz[], $6::timestamptz[]) as s(meter_id, kind, from_at, to_at)
    group by meter_id`;

/** What answers `n` change of what is known of a profile. */
function kept(profile: KeptProfile): string {
  const of = KEPT_PROFILES[profile];
  return `
    ${of}covered = c.${of}covered - n.uncovered + (n.answered - (n.lacking - c.${of}doubted)),
    ${of}doubted = c.${of}doubted - (n.answered + n.uncovered) + (n.lacking - c.${of}doubted),
    ${of}absent = c.${of}absent - (n.answered + n.uncovered) + n.lacking * c.${of}doubted,
    ${of}excused = c.${of}excused - (n.answered + n.uncovered)`;
}

const ADD_COVERAGE = `
  with a as (${ANSWERS}
  ), n as (
    select meter_id, coalesce(a.answered, '{}') as answered, coalesce(a.lacking, '{}') as lacking,
      coalesce(a.uncovered, '{}') as uncovered, t.logged_to, t.days_to
    from a full join unnest($7::integer[], $8::timestamptz[], $9::timestamptz[]) as t(meter_id, logged_to, days_to)
      using (meter_id)
  ), channels as (
    update channel_absences h set absent = h.absent - (a.answered + a.uncovered), excused = h.excused - (a.answered + a.uncovered)
    from a where h.utility_id = $1 and h.island_id = $2 and h.meter_id = a.meter_id
  )
  update interval_coverage c set ${kept("load")},
    recheck = c.recheck - n.answered,
    -- What a log says of the time that a clock was moved over may stand anywhere in it.
    logged_to = case when isempty(n.uncovered) then coalesce(n.logged_to, c.logged_to) end,
    days_to = greatest(c.days_to, n.days_to)
  from n
  where c.utility_id = $1 and c.island_id = $2 and c.meter_id = n.meter_id`;

const ADD_QUALITY = `
  with n as (${ANSWERS}
  )
  update interval_coverage c set ${kept("quality")}
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
function outagesOf(profile: KeptProfile): string {
  const of = KEPT_PROFILES[profile];
  const without = `(c.${of}absent + c.${of}doubted)`;
  return `
  with p as (
    select e.meter_id, e.at, e.code, lead(e.at) over w as next_at, lead(e.code) over w as next_code
    from interval_coverage c
    join meter_events e on (e.utility_id, e.island_id, e.meter_id) = (c.utility_id, c.island_id, c.meter_id)
      and e.at > lower${without} - interval '30 days'
    where c.utility_id = $1 and c.island_id = $2 and c.meter_id = any($3::integer[]) and not isempty${without}
      and e.category = 'power' and (e.code = any($4::bigint[]) or e.code = any($5::bigint[]))
    window w as (partition by e.meter_id order by e.at, e.code)
  )
  select meter_id, extract(epoch from at)::float8 * 1000 as from_at, extract(epoch from next_at)::float8 * 1000 as to_at
  from p where code = any($4::bigint[]) and next_code = any($5::bigint[])`;
}

const SELECT_OUTAGES = { load: outagesOf("load"), quality: outagesOf("quality") } as const;

/** Of the load profile by channel as well. */
function excusing(profile: KeptProfile): string {
  const of = KEPT_PROFILES[profile];
  const channels = `, channels as (
    update channel_absences h set absent = h.absent - o.outage, excused = h.excused + h.absent * o.outage
    from o where h.utility_id = $1 and h.island_id = $2 and h.meter_id = o.meter_id and h.absent && o.outage
  )`;
  return `
  with o as (
    select meter_id, range_agg(tstzrange(from_at, to_at, '(]')) as outage
    from unnest($3::integer[], $4::timestamptz[], $5::timestamptz[]) as s(meter_id, from_at, to_at) group by meter_id
  )${profile === "load" ? channels : ""}
  update interval_coverage c set
    ${of}covered = c.${of}covered + c.${of}doubted * o.outage,
    ${of}doubted = c.${of}doubted - o.outage,
    ${of}absent = c.${of}absent - o.outage,
    ${of}excused = c.${of}excused + (c.${of}absent + c.${of}doubted) * o.outage
  from o
  where c.utility_id = $1 and c.island_id = $2 and c.meter_id = o.meter_id
    and (c.${of}absent + c.${of}doubted) && o.outage`;
}

const EXCUSE = { load: excusing("load"), quality: excusing("quality") } as const;
