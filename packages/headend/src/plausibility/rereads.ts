import type { MeterKind } from "@meterkeep/api";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql, type SqlPool } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { dayText } from "../reading/day/day-row.ts";
import { heldIntervals } from "../reading/held-intervals.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { PlausibilityFinding } from "./finding.ts";
import { writeFindings } from "./write-findings.ts";

/** One in so many of the meters' days is asked for again. */
const REREAD_SHARE = 0.001;
/** A meter that has not answered so long after the day began, at the source, does not say anything about it. */
const PATIENCE_DAYS = 5;

/**
 * P-14, first half: draws some meters, by chance and at least one, whose day before `newestDay` is asked for once more with their
 * next session. What is held stays what it is; a value that differs becomes a correction.
 */
export async function drawRereads(
  sql: Sql,
  scope: Scope,
  kind: MeterKind,
  newestDay: number,
  now: number,
  random: () => number,
): Promise<number> {
  const complete = await rows<DrawnRow>(sql, SELECT_COMPLETE, [
    ...scope.place,
    kind,
    dayText(newestDay - DAY_MILLISECONDS),
    REREAD_SHARE,
    random() * 2 - 1,
  ]);
  if (complete.length === 0) return 0;
  const drawn = await rows<{ meter_id: number }>(sql, DRAW, [
    ...scope.place,
    complete.map(({ meter_id }) => meter_id),
    dayText(newestDay - DAY_MILLISECONDS),
    new Date(now),
    complete.map(({ value_count }) => value_count),
    new Date(newestDay - DAY_MILLISECONDS),
    new Date(newestDay),
  ]);
  return drawn.length;
}

/**
 * P-14, second half: compares what came with what was held, and writes verdict and finding in one transaction.
 *
 * @returns what is new about meters that said otherwise.
 */
export async function judgeRereads(
  pool: SqlPool,
  scope: Scope,
  sourceNow: (kind: MeterKind) => number,
  now: number,
): Promise<readonly PlausibilityFinding[]> {
  const added: PlausibilityFinding[] = [];
  for (const row of await rows<OpenRow>(pool, SELECT_OPEN, [...scope.place])) {
    if (row.answered) added.push(...(await inTransaction(pool, (sql) => judgeAnswer(sql, scope, row, now))));
    else if (sourceNow(row.kind) - row.day > PATIENCE_DAYS * DAY_MILLISECONDS)
      await settle(pool, scope, row.meter_id as MeterId, row.day, "unanswered", now);
  }
  return added;
}

async function judgeAnswer(sql: Sql, scope: Scope, row: OpenRow, now: number): Promise<readonly PlausibilityFinding[]> {
  const meter = row.meter_id as MeterId;
  const stretch = { from: row.day, to: row.day + DAY_MILLISECONDS };
  const held = (await heldIntervals(sql, scope, [meter], stretch.from + 1, stretch.to)).get(meter) ?? [];
  const differing = Number(row.contradictions);
  const more = held.length - row.held_values;
  const isSame = differing === 0 && more === 0;
  await settle(sql, scope, meter, row.day, isSame ? "same" : "differs", now);
  if (isSame) return [];
  const words = [
    ...(differing > 0 ? [`${differing} values are others than it gave before`] : []),
    ...(more > 0 ? [`${more} values came that are not here any more, or never were`] : []),
    ...(more < 0 ? [`${-more} values that were here are not here any more`] : []),
  ].join(", ");
  const finding: PlausibilityFinding = {
    rule: "P-14",
    subject: { kind: "meter", meter },
    stretch,
    confidence: 1,
    sentence: `Asked again for a day: ${words}. The meter, something on the way or the database was changed.`,
    data: { differing, held: held.length, heldBefore: row.held_values },
  };
  return writeFindings(sql, scope, [finding], now);
}

async function settle(
  sql: Sql,
  scope: Scope,
  meter: MeterId,
  day: number,
  verdict: "same" | "differs" | "unanswered",
  now: number,
): Promise<void> {
  await sql.query(SETTLE, [
    ...scope.place,
    meter,
    dayText(day),
    verdict,
    new Date(now),
    new Date(day),
    new Date(day + DAY_MILLISECONDS),
  ]);
}

interface DrawnRow {
  readonly meter_id: number;
  readonly value_count: number;
}
interface OpenRow {
  readonly meter_id: number;
  readonly kind: MeterKind;
  readonly day: number;
  readonly held_values: number;
  readonly answered: boolean;
  readonly contradictions: string;
}

/** A UTC day, whatever time zone the database shows times in. */
const DAY_RANGE = (day: string): string =>
  `tstzrange((${day})::timestamp at time zone 'UTC', (${day} + 1)::timestamp at time zone 'UTC', '(]')`;

// A day of which everything is held: what comes beside it then was there before. At least one, whatever the share says.
const SELECT_COMPLETE = `
  with seeded as (select setseed($6)), candidates as (
    select d.meter_id, d.value_count, random() as chance
    from seeded, meter_days d
    join meters m on (m.utility_id, m.island_id, m.meter_id) = (d.utility_id, d.island_id, d.meter_id) and m.kind = $3
    join interval_coverage c on (c.utility_id, c.island_id, c.meter_id) = (d.utility_id, d.island_id, d.meter_id)
    where d.utility_id = $1 and d.island_id = $2 and d.day = $4::date and d.part = 0
      and not (c.absent + c.doubted + c.excused) && ${DAY_RANGE("$4::date")}
      and c.covered @> ${DAY_RANGE("$4::date")}
      and not exists (select from meter_days p where (p.utility_id, p.island_id, p.meter_id, p.day)
        = (d.utility_id, d.island_id, d.meter_id, d.day) and p.part > 0)
      and not exists (select from interval_readings i
        where (i.utility_id, i.island_id, i.meter_id) = (d.utility_id, d.island_id, d.meter_id) and i.at <@ ${DAY_RANGE("d.day")})
  ), ranked as (
    select *, row_number() over (order by chance) as place, count(*) over () as all from candidates
  )
  select meter_id, value_count from ranked where place <= greatest(1, round("all" * $5::float8))`;

const DRAW = `
  with drawn as (
    insert into rereads (utility_id, island_id, meter_id, day, asked_at, held_values)
    select $1, $2, d.meter_id, $4::date, $5, d.held from unnest($3::integer[], $6::integer[]) as d(meter_id, held)
    on conflict do nothing returning meter_id
  )
  update interval_coverage c set recheck = c.recheck + tstzmultirange(tstzrange($7, $8, '(]'))
  from drawn where c.utility_id = $1 and c.island_id = $2 and c.meter_id = drawn.meter_id returning c.meter_id`;

const SELECT_OPEN = `
  select r.meter_id, m.kind, extract(epoch from r.day)::float8 * 1000 as day, r.held_values,
    not c.recheck && ${DAY_RANGE("r.day")} as answered,
    (select count(*) from interval_corrections k
       join evidence e on (e.utility_id, e.island_id, e.evidence_id) = (k.utility_id, k.island_id, k.evidence_id)
     where k.utility_id = $1 and k.island_id = $2 and k.meter_id = r.meter_id and k.at <@ ${DAY_RANGE("r.day")}
       and e.received_at >= r.asked_at) as contradictions
  from rereads r
  join meters m on (m.utility_id, m.island_id, m.meter_id) = (r.utility_id, r.island_id, r.meter_id)
  join interval_coverage c on (c.utility_id, c.island_id, c.meter_id) = (r.utility_id, r.island_id, r.meter_id)
  where r.utility_id = $1 and r.island_id = $2 and r.verdict is null`;

const SETTLE = `
  with settled as (
    update rereads set verdict = $5, judged_at = $6
    where utility_id = $1 and island_id = $2 and meter_id = $3 and day = $4::date
  )
  update interval_coverage set recheck = recheck - tstzmultirange(tstzrange($7, $8, '(]'))
  where utility_id = $1 and island_id = $2 and meter_id = $3`;
