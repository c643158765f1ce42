import type { MeterKind, SlaBoard, SlaTarget } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { findMeterProfile } from "../profile/meter-profile.ts";
import { simBudgetUse } from "../route/sim-traffic.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { TimeZone } from "../time/time-zone.ts";
import { optional } from "../view/time-text.ts";
import type { Stretch } from "./coverage.ts";
import {
  endedBy,
  gapsOf,
  intervalsIn,
  KEPT_PROFILES,
  type KeptProfile,
  qualityWantedTo,
  SETTLE_SECONDS,
  wantedOf,
  wantedTable,
  wantedValues,
} from "./gaps.ts";

/** So much of a day is to be held by a time of the day after it, by the clocks of the utility. */
export const SLA_TARGETS = [
  { thousandths: 980, hours: 8 },
  { thousandths: 995, hours: 24 },
] as const;

const HOUR = 3_600_000;
/** Days that the board looks back on. */
const HISTORY_DAYS = 30;

/** A day at the source of one kind of meter, in the time zone of the utility, and what time it is there. */
export interface SlaDay {
  readonly kind: MeterKind;
  /** Which day: the local time at which it begins, milliseconds since 1970 as if it were UTC. */
  readonly day: number;
  readonly zone: TimeZone;
  readonly sourceNow: number;
  /** Whether power quality is collected. */
  readonly powerQuality?: boolean;
}

/** The last day that is over. */
export function lastWholeDay(zone: TimeZone, sourceNow: number): number {
  return (
    Math.floor((sourceNow - zone.deviationAt(sourceNow) * 60_000) / DAY_MILLISECONDS) * DAY_MILLISECONDS -
    DAY_MILLISECONDS
  );
}

/** So many hours after a day's end by the clock on the wall: it has 23 or 25 itself when clocks change. */
function hoursAfter({ day, zone }: Pick<SlaDay, "day" | "zone">, hours: number): number {
  return zone.instantAt(day + DAY_MILLISECONDS + hours * HOUR);
}

/** What is wanted of that day by now: intervals that have ended and settled. */
export function wantedOfDay(of: SlaDay) {
  const from = of.zone.instantAt(of.day);
  const upTo = (settled: number): Stretch => ({ from, to: Math.max(from, Math.min(hoursAfter(of, 0), settled)) });
  return wantedOf(
    (kind, periodSeconds) => {
      const period = periodSeconds * 1000;
      const settled = Math.floor((of.sourceNow - SETTLE_SECONDS * 1000) / period) * period;
      return kind === of.kind ? upTo(settled) : undefined;
    },
    (kind) => (kind === of.kind && of.powerQuality === true ? upTo(qualityWantedTo(of.sourceNow)) : undefined),
  );
}

interface Counts {
  readonly meters: number;
  readonly complete: number;
  readonly wanted: number;
  readonly held: number;
  readonly excused: number;
  readonly absent: number;
  readonly missing: number;
  readonly share: number;
}

/** How much of a day is held, and how that stands to the targets. */
export async function slaBoard(sql: Sql, scope: Scope, day: SlaDay, now: number): Promise<SlaBoard> {
  const found = await countFeeders(sql, scope, day);
  const feeders = byFeeder(found);
  const marks = await marksOf(sql, scope, day);
  const total = countsOf(found);
  const dayText = textOf(day.day);
  return {
    asOf: new Date(now).toISOString(),
    kind: day.kind,
    day: dayText,
    timeZone: day.zone.name,
    sourceNow: new Date(day.sourceNow).toISOString(),
    ...total,
    ...(day.powerQuality === true ? { powerQuality: qualityOf(found) } : {}),
    channels: channelsOf(found, await lackingChannels(sql, scope, day)),
    notInService: sumOf(found, "not_in_service"),
    unreadable: sumOf(found, "unreadable"),
    targets: targetsOf(day, total, marks),
    simBudgets: await simBudgetUse(sql, scope, now),
    feeders: feeders
      .map((rowsOfFeeder) => ({ ...optional("feeder", rowsOfFeeder[0]?.feeder_id), ...countsOf(rowsOfFeeder) }))
      .sort((a, b) => a.share - b.share),
    history: marks.map((mark) => ({
      day: mark.day,
      target: mark.target / 1000,
      dueAt: mark.due_at.toISOString(),
      countedAt: mark.counted_at.toISOString(),
      held: Number(mark.held),
      wanted: Number(mark.wanted),
      excused: Number(mark.excused),
      absent: Number(mark.absent),
      met: isMet(mark.target, countedOf(mark)),
    })),
  };
}

/**
 * Writes down what is held of the last days at deadlines that have passed and have no mark yet: since the last mark, a stop
 * of the head-end included; while there is none, since `begunAt` at the source, for nobody could keep what passed before.
 * Nothing is written of a day that nothing was wanted of. @returns how many marks are new
 */
export async function markSla(
  sql: Sql,
  scope: Scope,
  kind: MeterKind,
  zone: TimeZone,
  sourceNow: number,
  begunAt: number,
): Promise<number> {
  let marked = 0;
  const last = lastWholeDay(zone, sourceNow);
  for (const day of [last, last - DAY_MILLISECONDS].map((one): SlaDay => ({ kind, day: one, zone, sourceNow }))) {
    const marks = await marksOf(sql, scope, day);
    const since = marks.reduce((newest, mark) => Math.max(newest, mark.counted_at.getTime()), 0) || begunAt;
    const passed = SLA_TARGETS.filter(({ hours }) => {
      const dueAt = hoursAfter(day, hours);
      return dueAt > since && dueAt <= sourceNow;
    });
    const unmarked = passed.filter(
      ({ thousandths }) => !marks.some((mark) => mark.day === textOf(day.day) && mark.target === thousandths),
    );
    if (unmarked.length === 0) continue;
    const { meters, wanted, held, excused, absent } = countsOf(await countFeeders(sql, scope, day));
    if (wanted === 0) continue;
    const written = await sql.query(INSERT_MARKS, [
      ...scope.place,
      kind,
      textOf(day.day),
      unmarked.map(({ thousandths }) => thousandths),
      unmarked.map(({ hours }) => new Date(hoursAfter(day, hours))),
      new Date(sourceNow),
      meters,
      wanted,
      held,
      excused,
      absent,
    ]);
    marked += written.rowCount ?? 0;
  }
  return marked;
}

function countsOf(feeders: readonly FeederRow[]): Counts {
  const [wanted, missing] = [sumOf(feeders, "wanted"), sumOf(feeders, "missing")];
  const [excused, absent] = [sumOf(feeders, "excused"), sumOf(feeders, "absent")];
  const held = wanted - missing - excused - absent;
  return {
    meters: sumOf(feeders, "meters"),
    complete: sumOf(feeders, "complete"),
    wanted,
    held,
    excused,
    absent,
    missing,
    share: wanted === excused ? 1 : held / (wanted - excused),
  };
}

/** Of power quality: no target is about it. */
function qualityOf(found: readonly FeederRow[]): NonNullable<SlaBoard["powerQuality"]> {
  const [wanted, missing] = [sumOf(found, "quality_wanted"), sumOf(found, "quality_missing")];
  const [excused, absent] = [sumOf(found, "quality_excused"), sumOf(found, "quality_absent")];
  return { wanted, held: wanted - missing - excused - absent, excused, absent, missing };
}

function sumOf(found: readonly FeederRow[], column: Exclude<keyof FeederRow, "feeder_id" | "profile">): number {
  return found.reduce((sum, row) => sum + Number(row[column]), 0);
}

function byFeeder(found: readonly FeederRow[]): readonly (readonly FeederRow[])[] {
  return [...Map.groupBy(found, (row) => row.feeder_id).values()];
}

/** Every channel of every profile that is read: all is wanted of it that is wanted of its meters, and what it lacks it lacks alone. */
function channelsOf(found: readonly FeederRow[], lacking: readonly LackingRow[]): SlaBoard["channels"] {
  const channels = new Map<string, { wanted: number; missing: number }>();
  for (const { profile, wanted, missing } of found)
    for (const column of findMeterProfile(profile)?.loadProfile.columns ?? []) {
      if (typeof column === "string") continue;
      const counts = channels.get(column.obis) ?? { wanted: 0, missing: 0 };
      counts.wanted += Number(wanted);
      counts.missing += Number(missing);
      channels.set(column.obis, counts);
    }
  return [...channels].sort().map(([obis, { wanted, missing }]) => {
    const row = lacking.find((one) => one.obis === obis);
    const [excused, absent] = [Number(row?.excused ?? 0), Number(row?.absent ?? 0)];
    return { obis, wanted, held: wanted - missing - excused - absent, excused, absent, missing };
  });
}

function targetsOf(day: SlaDay, now: Counts, marks: readonly MarkRow[]): SlaTarget[] {
  return SLA_TARGETS.map(({ thousandths, hours }) => {
    const dueAt = hoursAfter(day, hours);
    const mark = marks.find((one) => one.day === textOf(day.day) && one.target === thousandths);
    const counted = mark && { at: mark.counted_at.toISOString(), ...countedOf(mark) };
    const isOver = day.sourceNow >= hoursAfter(day, 0) + SETTLE_SECONDS * 1000;
    const met = counted === undefined ? isOver && isMet(thousandths, now) : isMet(thousandths, counted);
    return {
      share: thousandths / 1000,
      dueAt: new Date(dueAt).toISOString(),
      state: met ? "met" : counted === undefined && day.sourceNow < dueAt ? "open" : "missed",
      ...(counted === undefined ? {} : { counted }),
    };
  });
}

function countedOf(mark: MarkRow): Pick<Counts, "held" | "wanted" | "excused"> {
  return { held: Number(mark.held), wanted: Number(mark.wanted), excused: Number(mark.excused) };
}

/** In whole numbers: 98 % of 1 000 are 980 and not one less. Nobody can hold what was never measured. */
function isMet(thousandths: number, { held, wanted, excused }: Pick<Counts, "held" | "wanted" | "excused">): boolean {
  return held * 1000 >= (wanted - excused) * thousandths;
}

function textOf(day: number): string {
  return new Date(day).toISOString().slice(0, 10);
}

async function countFeeders(sql: Sql, scope: Scope, day: SlaDay): Promise<readonly FeederRow[]> {
  return rows<FeederRow>(sql, COUNT_FEEDERS, [...scope.place, day.kind, ...wantedValues(wantedOfDay(day))]);
}

/** What is excused and absent, by channel: few meters have any. */
async function lackingChannels(sql: Sql, scope: Scope, day: SlaDay): Promise<readonly LackingRow[]> {
  return rows<LackingRow>(sql, COUNT_CHANNELS, [...scope.place, day.kind, ...wantedValues(wantedOfDay(day))]);
}

async function marksOf(sql: Sql, scope: Scope, { kind, day }: SlaDay): Promise<readonly MarkRow[]> {
  return rows<MarkRow>(
    sql,
    `select to_char(day, 'YYYY-MM-DD') as day, target, due_at, counted_at, wanted, held, excused, absent from sla_marks
     where utility_id = $1 and island_id = $2 and kind = $3 and day > $4::date - $5::integer and day <= $4::date
     order by day desc, target desc`,
    [...scope.place, kind, textOf(day), HISTORY_DAYS],
  );
}

/** Meters of one feeder and profile. */
interface FeederRow {
  readonly feeder_id: string | null;
  readonly profile: string;
  readonly meters: string;
  readonly complete: string;
  readonly wanted: string;
  readonly missing: string;
  readonly excused: string;
  readonly absent: string;
  readonly quality_wanted: string;
  readonly quality_missing: string;
  readonly quality_excused: string;
  readonly quality_absent: string;
  readonly not_in_service: string;
  readonly unreadable: string;
}

interface LackingRow {
  readonly obis: string;
  readonly excused: string;
  readonly absent: string;
}

interface MarkRow {
  readonly day: string;
  readonly target: number;
  readonly due_at: Date;
  readonly counted_at: Date;
  readonly wanted: string;
  readonly held: string;
  readonly excused: string;
  readonly absent: string;
}

/** Meters that somebody reads: an attached one pushes when it likes, and one that has left is nobody's here. */
export const READ_METERS = `meters m
    join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
    join interval_coverage c on (c.utility_id, c.island_id, c.meter_id) = (m.utility_id, m.island_id, m.meter_id)
    left join wanted w on (w.kind, w.profile) = (m.kind, m.profile)
  where m.utility_id = $1 and m.island_id = $2 and m.kind = $3 and m.role <> 'attached'
    and t.phase <> 'left'`;

/** How many intervals of a profile are wanted of a meter. */
function wantedIn(profile: KeptProfile): string {
  const window = `w.${KEPT_PROFILES[profile]}window_at_source`;
  return `case when ${window} is null then 0
        else (${endedBy(`upper(${window})`, profile)} - ${endedBy(`lower(${window})`, profile)})::bigint end`;
}

/** How many of them are missing: mostly none, which one comparison shows. */
function missingIn(profile: KeptProfile): string {
  const of = KEPT_PROFILES[profile];
  const window = `w.${of}window_at_source`;
  return `case when ${window} is null or c.${of}covered @> ${window} then 0 else ${intervalsIn(gapsOf(profile), profile)} end`;
}

/** What of the wanted is in a multirange that mostly is empty: a doubted interval is asked for again, and missing as long. */
function countIn(multirange: string, profile: KeptProfile): string {
  const window = `w.${KEPT_PROFILES[profile]}window_at_source`;
  return `
      case when ${window} is null or isempty(${multirange}) then 0
        else ${intervalsIn(`(${multirange} * tstzmultirange(${window}))`, profile)} end`;
}

const COUNTED = ["wanted", "missing", "excused", "absent"] as const;

const COUNT_FEEDERS = `
  with ${wantedTable(4)}, meter as (
    select m.feeder_id, m.profile, t.phase = 'done' as in_service, w.profile is not null as readable,
      ${(["load", "quality"] as const)
        .map((profile) => {
          const of = KEPT_PROFILES[profile];
          return `${wantedIn(profile)} as ${of}wanted, ${missingIn(profile)} as ${of}missing,
      ${countIn(`c.${of}excused`, profile)} as ${of}excused, ${countIn(`c.${of}absent`, profile)} as ${of}absent`;
        })
        .join(", ")}
    from ${READ_METERS}
  )
  select feeder_id, profile, count(*) filter (where in_service and readable) as meters,
    count(*) filter (where in_service and readable and missing = 0 and absent = 0) as complete,
    ${Object.values(KEPT_PROFILES)
      .flatMap((of) =>
        COUNTED.map((name) => `coalesce(sum(${of}${name}) filter (where in_service), 0) as ${of}${name}`),
      )
      .join(", ")},
    count(*) filter (where not in_service) as not_in_service,
    count(*) filter (where in_service and not readable) as unreadable
  from meter group by feeder_id, profile order by feeder_id nulls last, profile`;

const COUNT_CHANNELS = `
  with ${wantedTable(4)}, meter as (
    select h.obis, ${countIn("(h.excused * c.covered)", "load")} as excused,
      ${countIn("(h.absent * c.covered)", "load")} as absent
    from channel_absences h, ${READ_METERS} and t.phase = 'done'
      and (h.utility_id, h.island_id, h.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  )
  select obis, sum(excused) as excused, sum(absent) as absent from meter group by obis`;

const INSERT_MARKS = `
  insert into sla_marks (utility_id, island_id, kind, day, target, due_at, counted_at, meters, wanted, held,
    excused, absent)
  select $1, $2, $3, $4::date, t.target, t.due_at, $7, $8, $9, $10, $11, $12
  from unnest($5::smallint[], $6::timestamptz[]) as t(target, due_at)
  on conflict do nothing`;
