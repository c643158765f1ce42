import type { MeterKind, SlaBoard, SlaTarget } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { optional } from "../view/time-text.ts";
import type { Stretch } from "./coverage.ts";
import { GAPS, intervalsIn, SETTLE_SECONDS, wantedOf, wantedTable, wantedValues } from "./gaps.ts";

/** So much of a day is to be held by a time of the day after it, UTC at the source. */
export const SLA_TARGETS = [
  { thousandths: 980, hours: 8 },
  { thousandths: 995, hours: 24 },
] as const;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Days that the board looks back on. */
const HISTORY_DAYS = 30;

/** A UTC day at the source of one kind of meter, and what time it is there. */
export interface SlaDay {
  readonly kind: MeterKind;
  /** Milliseconds since 1970 at which it begins. */
  readonly begin: number;
  readonly sourceNow: number;
}

/** The last day that is over. */
export function lastWholeDay(sourceNow: number): number {
  return Math.floor(sourceNow / DAY) * DAY - DAY;
}

/** What is wanted of that day by now: intervals that have ended and settled. */
export function wantedOfDay({ kind: wantedKind, begin, sourceNow }: SlaDay) {
  return wantedOf((kind, periodSeconds): Stretch | undefined => {
    if (kind !== wantedKind) return undefined;
    const period = periodSeconds * 1000;
    const settled = Math.floor((sourceNow - SETTLE_SECONDS * 1000) / period) * period;
    return { from: begin, to: Math.max(begin, Math.min(begin + DAY, settled)) };
  });
}

interface Counts {
  readonly meters: number;
  readonly complete: number;
  readonly wanted: number;
  readonly held: number;
  readonly share: number;
}

/** How much of a day is held, and how that stands to the targets. */
export async function slaBoard(sql: Sql, scope: Scope, day: SlaDay, now: number): Promise<SlaBoard> {
  const feeders = await countFeeders(sql, scope, day);
  const marks = await marksOf(sql, scope, day);
  const total = countsOf(feeders);
  const sum = (pick: (row: FeederRow) => string): number => feeders.reduce((all, row) => all + Number(pick(row)), 0);
  const dayText = textOf(day.begin);
  return {
    asOf: new Date(now).toISOString(),
    kind: day.kind,
    day: dayText,
    sourceNow: new Date(day.sourceNow).toISOString(),
    ...total,
    missing: total.wanted - total.held,
    notInService: sum((row) => row.not_in_service),
    unreadable: sum((row) => row.unreadable),
    targets: targetsOf(day, total, marks),
    feeders: feeders
      .map((row) => ({ ...optional("feeder", row.feeder_id), ...countsOf([row]) }))
      .sort((a, b) => a.share - b.share),
    history: marks.map((mark) => ({
      day: mark.day,
      target: mark.target / 1000,
      dueAt: mark.due_at.toISOString(),
      countedAt: mark.counted_at.toISOString(),
      held: Number(mark.held),
      wanted: Number(mark.wanted),
      met: isMet(mark.target, Number(mark.held), Number(mark.wanted)),
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
  sourceNow: number,
  begunAt: number,
): Promise<number> {
  let marked = 0;
  for (const begin of [lastWholeDay(sourceNow), lastWholeDay(sourceNow) - DAY]) {
    const day: SlaDay = { kind, begin, sourceNow };
    const marks = await marksOf(sql, scope, day);
    const since = marks.reduce((newest, mark) => Math.max(newest, mark.counted_at.getTime()), 0) || begunAt;
    const passed = SLA_TARGETS.filter(({ hours }) => {
      const dueAt = begin + DAY + hours * HOUR;
      return dueAt > since && dueAt <= sourceNow;
    });
    const unmarked = passed.filter(
      ({ thousandths }) => !marks.some((mark) => mark.day === textOf(begin) && mark.target === thousandths),
    );
    if (unmarked.length === 0) continue;
    const { meters, wanted, held } = countsOf(await countFeeders(sql, scope, day));
    if (wanted === 0) continue;
    const written = await sql.query(INSERT_MARKS, [
      ...scope.place,
      kind,
      textOf(begin),
      unmarked.map(({ thousandths }) => thousandths),
      unmarked.map(({ hours }) => new Date(begin + DAY + hours * HOUR)),
      new Date(sourceNow),
      meters,
      wanted,
      held,
    ]);
    marked += written.rowCount ?? 0;
  }
  return marked;
}

function countsOf(feeders: readonly FeederRow[]): Counts {
  const sum = (pick: (row: FeederRow) => string): number => feeders.reduce((all, row) => all + Number(pick(row)), 0);
  const [wanted, missing] = [sum((row) => row.wanted), sum((row) => row.missing)];
  const held = wanted - missing;
  return {
    meters: sum((row) => row.meters),
    complete: sum((row) => row.complete),
    wanted,
    held,
    share: wanted === 0 ? 1 : held / wanted,
  };
}

function targetsOf({ begin, sourceNow }: SlaDay, { held, wanted }: Counts, marks: readonly MarkRow[]): SlaTarget[] {
  return SLA_TARGETS.map(({ thousandths, hours }) => {
    const dueAt = begin + DAY + hours * HOUR;
    const mark = marks.find((one) => one.day === textOf(begin) && one.target === thousandths);
    const counted = mark && {
      at: mark.counted_at.toISOString(),
      held: Number(mark.held),
      wanted: Number(mark.wanted),
    };
    const isOver = sourceNow >= begin + DAY + SETTLE_SECONDS * 1000;
    const met =
      counted === undefined
        ? isOver && isMet(thousandths, held, wanted)
        : isMet(thousandths, counted.held, counted.wanted);
    return {
      share: thousandths / 1000,
      dueAt: new Date(dueAt).toISOString(),
      state: met ? "met" : counted === undefined && sourceNow < dueAt ? "open" : "missed",
      ...(counted === undefined ? {} : { counted }),
    };
  });
}

/** In whole numbers: 98 % of 1 000 are 980 and not one less. */
function isMet(thousandths: number, held: number, wanted: number): boolean {
  return held * 1000 >= wanted * thousandths;
}

function textOf(begin: number): string {
  return new Date(begin).toISOString().slice(0, 10);
}

async function countFeeders(sql: Sql, scope: Scope, day: SlaDay): Promise<readonly FeederRow[]> {
  return rows<FeederRow>(sql, COUNT_FEEDERS, [...scope.place, day.kind, ...wantedValues(wantedOfDay(day))]);
}

async function marksOf(sql: Sql, scope: Scope, { kind, begin }: SlaDay): Promise<readonly MarkRow[]> {
  return rows<MarkRow>(
    sql,
    `select to_char(day, 'YYYY-MM-DD') as day, target, due_at, counted_at, wanted, held from sla_marks
     where utility_id = $1 and island_id = $2 and kind = $3 and day > $4::date - $5::integer and day <= $4::date
     order by day desc, target desc`,
    [...scope.place, kind, textOf(begin), HISTORY_DAYS],
  );
}

interface FeederRow {
  readonly feeder_id: string | null;
  readonly meters: string;
  readonly complete: string;
  readonly wanted: string;
  readonly missing: string;
  readonly not_in_service: string;
  readonly unreadable: string;
}

interface MarkRow {
  readonly day: string;
  readonly target: number;
  readonly due_at: Date;
  readonly counted_at: Date;
  readonly wanted: string;
  readonly held: string;
}

/** Meters that somebody reads: an attached one pushes when it likes, and one that has left is nobody's here. */
export const READ_METERS = `meters m
    join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
    join interval_coverage c on (c.utility_id, c.island_id, c.meter_id) = (m.utility_id, m.island_id, m.meter_id)
    left join wanted w on (w.kind, w.profile) = (m.kind, m.profile)
  where m.utility_id = $1 and m.island_id = $2 and m.kind = $3 and m.role <> 'attached'
    and t.phase <> 'left'`;

const COUNT_FEEDERS = `
  with ${wantedTable(4)}, meter as (
    select m.feeder_id, t.phase = 'done' as in_service, w.profile is not null as readable,
      case when w.profile is null then 0 else ${intervalsIn("tstzmultirange(w.window_at_source)")} end as wanted,
      case when w.profile is null then 0 else ${intervalsIn(GAPS)} end as missing
    from ${READ_METERS}
  )
  select feeder_id, count(*) filter (where in_service and readable) as meters,
    count(*) filter (where in_service and readable and missing = 0) as complete,
    coalesce(sum(wanted) filter (where in_service), 0) as wanted,
    coalesce(sum(missing) filter (where in_service), 0) as missing,
    count(*) filter (where not in_service) as not_in_service,
    count(*) filter (where in_service and not readable) as unreadable
  from meter group by feeder_id order by feeder_id nulls last`;

const INSERT_MARKS = `
  insert into sla_marks (utility_id, island_id, kind, day, target, due_at, counted_at, meters, wanted, held)
  select $1, $2, $3, $4::date, t.target, t.due_at, $7, $8, $9, $10
  from unnest($5::smallint[], $6::timestamptz[]) as t(target, due_at)
  on conflict do nothing`;
