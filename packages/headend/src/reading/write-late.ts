import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { Rows } from "../dispute/standing.ts";
import type { MeterId } from "../inventory/meter.ts";
import { disputeLate, type LateValues } from "../plausibility/write-findings.ts";
import { heldIntervals } from "./held-intervals.ts";
import type { MeterRead } from "./meter-read.ts";
import { stretchesOf } from "./misdated.ts";
import { type EvidenceRecord, evidenceOf, type ReadResult } from "./result.ts";

/** What proves itself of a read, and the numbers of the evidence that came with it. */
interface Proven {
  readonly meter: MeterId;
  readonly read: ReadResult;
  readonly evidence: ReadonlySet<number>;
  readonly first: number;
  readonly last: number;
}

/** A value that came: of which rows, at the source, and the number of its evidence. */
interface Came {
  readonly meter: MeterId;
  readonly concerns: Rows;
  readonly at: number;
  readonly evidence: number;
  /** Beside one that is held, which it contradicts. */
  readonly isOther?: true;
}

/**
 * What comes into a time about which somebody has decided, and was seen by nobody (ADR 0073), is told: by a finding of its own for
 * each rule whose findings about it are all decided, of exactly those values. Where one of the same rule is open, they are
 * settled with that. What proves nothing is used by no decision, and would let anybody put a meter in dispute again.
 *
 * To be asked after everything of the reads is written, with the lines of their meters locked, which a decision wants as well:
 * either it has seen these values, or it is seen here.
 *
 * @param numberOf the number of a piece of evidence; undefined where the same was there before
 */
export async function tellLate(
  sql: Sql,
  scope: Scope,
  reads: readonly MeterRead[],
  numberOf: (record: EvidenceRecord) => number | undefined,
): Promise<void> {
  const proven = reads.flatMap(({ meter, read }) => (read === undefined ? [] : provenOf(meter, read, numberOf)));
  if (proven.length === 0) return;
  const decided = await rows<DecidedRow>(sql, SELECT_DECIDED, [
    ...scope.place,
    proven.map(({ meter }) => meter),
    proven.map(({ first }) => new Date(first)),
    proven.map(({ last }) => new Date(last)),
  ]);
  for (const { meter_id, from_at, to_at } of decided) {
    const of = proven.find(({ meter }) => meter === meter_id) as Proven;
    const came = await cameIn(sql, scope, of, Math.max(from_at, of.first - 1), Math.min(to_at, of.last));
    if (came.length === 0) continue;
    const foundAt = evidenceOf(of.read).reduce((newest, { receivedAt }) => Math.max(newest, receivedAt), 0);
    await disputeLate(
      sql,
      scope,
      [...(await lateOf(sql, scope, of, came)), ...(await othersOf(sql, scope, came))],
      foundAt,
    );
  }
}

/** None where nothing of it proves itself. */
function provenOf(
  meter: MeterId,
  read: ReadResult,
  numberOf: (record: EvidenceRecord) => number | undefined,
): readonly Proven[] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const evidence = new Set<number>();
  let of: EvidenceRecord | undefined;
  for (const records of [read.intervals, read.registers, read.quality ?? []])
    for (const { at, evidence: record } of records) {
      if (record.protection !== "authenticated") continue;
      [first, last] = [Math.min(first, at), Math.max(last, at)];
      // Values of one answer follow each other.
      if (record === of) continue;
      of = record;
      const number = numberOf(record);
      if (number !== undefined) evidence.add(number);
    }
  return evidence.size > 0 ? [{ meter, read, evidence, first, last }] : [];
}

/** What rests on the evidence of a read, behind `from` up to `to`. */
async function cameIn(
  sql: Sql,
  scope: Scope,
  { meter, evidence }: Proven,
  from: number,
  to: number,
): Promise<readonly Came[]> {
  const held = (await heldIntervals(sql, scope, [meter], from + 1, to)).get(meter) ?? [];
  const values = new Map(held.map(({ channel, at, value }) => [`${channel} ${at}`, value]));
  const beside = await rows<BesideRow>(sql, SELECT_BESIDE, [
    ...scope.place,
    meter,
    new Date(from),
    new Date(to),
    [...evidence],
  ]);
  return [
    ...held
      .filter((one) => evidence.has(one.evidence))
      .map((one): Came => ({ meter, concerns: "intervals", at: one.at, evidence: one.evidence })),
    ...beside.flatMap(({ concerns, at, evidence: number, channel_id, value }): readonly Came[] => {
      const came = { meter, concerns, at: Math.round(at), evidence: number };
      if (channel_id === null) return [came];
      // Another status of the same value speaks against nothing.
      return values.get(`${channel_id} ${Math.round(at)}`) === value ? [] : [{ ...came, isOther: true }];
    }),
  ];
}

/** Values that are held now and were seen by nobody. */
async function lateOf(sql: Sql, scope: Scope, { read }: Proven, came: readonly Came[]): Promise<readonly LateValues[]> {
  const values = came.filter(({ isOther }) => isOther !== true);
  const unseen = await rows<UnseenRow>(sql, SELECT_UNSEEN, [...scope.place, ...columnsOf(values)]);
  const kinds = Map.groupBy(unseen, (one) => `${one.concerns} ${one.rule} ${one.newer_than}`);
  return [...kinds.values()].map((alike) => lateValues(alike, read));
}

/** Values that contradict what is held and was settled: they dispute by themselves, and the finding says so. */
async function othersOf(sql: Sql, scope: Scope, came: readonly Came[]): Promise<readonly LateValues[]> {
  const others = came.filter(({ isOther }) => isOther === true);
  if (others.length === 0) return [];
  const unseen = await rows<UnseenRow>(sql, SELECT_OTHERS, [...scope.place, ...columnsOf(others)]);
  const kinds = Map.groupBy(unseen, ({ rule, newer_than }) => `${rule} ${newer_than}`);
  return [...kinds.values()].map((alike) => ({ ...lateValues(alike, {}), isOther: true }));
}

function lateValues(
  alike: readonly UnseenRow[],
  { periodSeconds, qualityAnswered }: Pick<ReadResult, "periodSeconds" | "qualityAnswered">,
): LateValues {
  const [{ meter_id: meter, concerns, rule, newer_than: newerThan }] = alike as [UnseenRow];
  const period = { intervals: periodSeconds, registers: undefined, quality: qualityAnswered?.periodSeconds }[concerns];
  const stretches = stretchesOf(
    alike.map(({ at }) => Math.round(at)),
    period,
  );
  const found = alike.flatMap(({ finding }) => finding ?? []);
  const finding = found.length === 0 ? undefined : Math.min(...found);
  return { meter, concerns, stretches, rule, newerThan, ...(finding !== undefined && { finding }) };
}

function columnsOf(values: readonly Came[]): unknown[] {
  return [
    values.map(({ meter }) => meter),
    values.map(({ concerns }) => concerns),
    values.map(({ at }) => new Date(at)),
    values.map(({ evidence }) => evidence),
  ];
}

interface DecidedRow {
  readonly meter_id: number;
  readonly from_at: number;
  readonly to_at: number;
}
interface BesideRow {
  readonly concerns: Rows;
  readonly at: number;
  readonly evidence: number;
  /** Of a value that differs from what is held, or has another status. */
  readonly channel_id: number | null;
  readonly value: number | null;
}
interface UnseenRow {
  readonly meter_id: MeterId;
  readonly concerns: Rows;
  readonly rule: string;
  readonly at: number;
  readonly finding: number | null;
  readonly newer_than: number;
}

// Of hardly any meter there is one. Each meter is looked up by itself: joined, all decisions are read where nobody has counted them yet.
const SELECT_DECIDED = `
  select r.meter_id, extract(epoch from d.from_at)::float8 * 1000 as from_at, extract(epoch from d.to_at)::float8 * 1000 as to_at
  from unnest($3::integer[], $4::timestamptz[], $5::timestamptz[]) as r(meter_id, first, last)
  cross join lateral (
    select min(d.from_at) as from_at, max(d.to_at) as to_at from dispute_decisions d
    where d.utility_id = $1 and d.island_id = $2 and d.meter_id = r.meter_id and d.to_at >= r.first and d.from_at < r.last
  ) d
  where d.to_at is not null`;

const OF_EVIDENCE = `utility_id = $1 and island_id = $2 and meter_id = $3 and at > $4 and at <= $5
  and evidence_id = any($6::bigint[])`;
const RESTS_ON = "extract(epoch from at)::float8 * 1000 as at, evidence_id::float8 as evidence";

const SELECT_BESIDE = `
  select 'registers' as concerns, ${RESTS_ON}, null::smallint as channel_id, null::float8 as value
  from register_readings where ${OF_EVIDENCE}
  union all select 'quality', ${RESTS_ON}, null, null from quality_readings where ${OF_EVIDENCE}
  union all select 'intervals', ${RESTS_ON}, channel_id, value from interval_corrections where ${OF_EVIDENCE}`;

const VALUES = `unnest($3::integer[], $4::text[], $5::timestamptz[], $6::bigint[]) as v(meter_id, concerns, at, evidence)`;
const ABOUT = `f.utility_id = $1 and f.island_id = $2 and f.meter_id = v.meter_id and f.disputes
  and f.to_at >= v.at and f.from_at < v.at and coalesce(f.concerns, v.concerns) = v.concerns
  and (f.stretches is null or f.stretches @> v.at)`;
const OF_TIME = `d.utility_id = $1 and d.island_id = $2 and d.meter_id = v.meter_id and d.to_at >= v.at and d.from_at < v.at`;

// What was under way while somebody decided may rest on older evidence than what was seen.
const SELECT_UNSEEN = `
  select v.meter_id, v.concerns, f.rule, extract(epoch from v.at)::float8 * 1000 as at, min(f.finding_id)::float8 as finding,
    least(max(s.seen_to), min(v.evidence) - 1)::float8 as newer_than
  from ${VALUES} join plausibility_findings f on ${ABOUT}
  left join lateral (
    select max(d.seen_to) as seen_to from dispute_decisions d where ${OF_TIME} and f.finding_id = any(d.findings)
  ) s on true
  group by v.meter_id, v.concerns, f.rule, v.at
  having count(*) = count(s.seen_to)
  order by array_position('{intervals,registers,quality}', v.concerns), f.rule, v.at`;

// By the rule of the newest finding about the moment, all of which are decided; where there is none, by the one about times.
const SELECT_OTHERS = `
  select v.meter_id, v.concerns, extract(epoch from v.at)::float8 * 1000 as at, max(f.finding_id)::float8 as finding,
    coalesce((array_agg(f.rule order by f.finding_id desc) filter (where f.rule is not null))[1], 'P-8') as rule,
    max(v.evidence)::float8 as newer_than
  from ${VALUES} left join plausibility_findings f on ${ABOUT}
  where exists (select from dispute_decisions d where ${OF_TIME})
  group by v.meter_id, v.concerns, v.at
  having count(f.finding_id) = count(*) filter (where exists (
    select from dispute_decisions d where ${OF_TIME} and f.finding_id = any(d.findings)))`;
