import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { Rows } from "../dispute/standing.ts";
import type { MeterId } from "../inventory/meter.ts";
import { disputeLate, type LateValues } from "../plausibility/write-findings.ts";
import type { ChannelTable } from "./channels.ts";
import type { MeterRead } from "./meter-read.ts";
import { stretchesOf } from "./misdated.ts";
import { newOf } from "./new-instants.ts";
import { evidenceOf, type ReadResult } from "./result.ts";

/** What is new in times about which somebody has decided, and when it was received, milliseconds since 1970 UTC on our clock. */
export interface Late {
  readonly values: readonly {
    readonly meter: MeterId;
    readonly concerns: Rows;
    readonly instants: readonly number[];
    readonly periodSeconds: number | undefined;
  }[];
  readonly foundAt: number;
}

/**
 * What comes into a time about which somebody has decided, and was seen by nobody (ADR 0073). What proves nothing is used by no
 * decision, and would let anybody put a meter in dispute again. To be asked before anything of it is written.
 */
export async function lateIn(
  sql: Sql,
  scope: Scope,
  channels: ChannelTable,
  reads: readonly MeterRead[],
): Promise<Late> {
  const spans = reads.flatMap(({ meter, read }) => {
    const span = read === undefined ? undefined : spanOf(read);
    return read === undefined || span === undefined ? [] : [{ meter, read, span }];
  });
  if (spans.length === 0) return { values: [], foundAt: 0 };
  const decided = await rows<DecidedRow>(sql, SELECT_DECIDED, [
    ...scope.place,
    spans.map(({ meter }) => meter),
    spans.map(({ span: [first] }) => new Date(first)),
    spans.map(({ span: [, last] }) => new Date(last)),
  ]);
  const values: Late["values"][number][] = [];
  let foundAt = 0;
  for (const { meter_id, from_at, to_at } of decided) {
    const of = spans.find(({ meter }) => meter === meter_id);
    if (of === undefined) continue;
    const { meter, read } = of;
    const within = provenIn(read, from_at, to_at);
    for (const [concerns, instants, periodSeconds] of await newOf(sql, scope, channels, meter, within))
      if (instants.length > 0) values.push({ meter, concerns, instants, periodSeconds });
    for (const { receivedAt } of evidenceOf(within)) foundAt = Math.max(foundAt, receivedAt);
  }
  return { values, foundAt };
}

/**
 * Has people see what came late: a finding of its own for each rule whose findings about it are all decided, of exactly those values.
 * Where one of the same rule is open, they are settled with that. After everything that was found of the same reads.
 */
export async function disputeLateIn(sql: Sql, scope: Scope, { values, foundAt }: Late): Promise<void> {
  if (values.length === 0) return;
  const each = values.flatMap(({ meter, concerns, instants }) =>
    [...new Set(instants)].map((at) => ({ meter, concerns, at })),
  );
  const unseen = await rows<UnseenRow>(sql, SELECT_UNSEEN, [
    ...scope.place,
    each.map(({ meter }) => meter),
    each.map(({ concerns }) => concerns),
    each.map(({ at }) => new Date(at)),
  ]);
  const late: LateValues[] = [];
  for (const { meter, concerns, periodSeconds } of values) {
    const own = unseen.filter((one) => one.meter_id === meter && one.concerns === concerns);
    for (const alike of Map.groupBy(own, ({ rule, seen_to }) => `${rule} ${seen_to}`).values()) {
      const [{ rule, seen_to }] = alike as [UnseenRow];
      const stretches = stretchesOf(
        alike.map(({ at }) => Math.round(at)),
        periodSeconds,
      );
      const finding = alike.reduce((least, one) => Math.min(least, one.finding), Number.POSITIVE_INFINITY);
      late.push({ meter, concerns, stretches, finding, rule, newerThan: seen_to });
    }
  }
  await disputeLate(sql, scope, late, foundAt);
}

/** From the first to the last instant of what proves itself. */
function spanOf(read: ReadResult): readonly [first: number, last: number] | undefined {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const records of [read.intervals, read.registers, read.quality ?? []])
    for (const { at, evidence } of records)
      if (evidence.protection === "authenticated") [first, last] = [Math.min(first, at), Math.max(last, at)];
  return first <= last ? [first, last] : undefined;
}

/** What proves itself behind an instant, up to another. */
function provenIn(read: ReadResult, from: number, to: number): ReadResult {
  const isIn = ({ at, evidence }: Pick<ReadResult["registers"][number], "at" | "evidence">): boolean =>
    at > from && at <= to && evidence.protection === "authenticated";
  return {
    ...read,
    intervals: read.intervals.filter(isIn),
    registers: read.registers.filter(isIn),
    quality: (read.quality ?? []).filter(isIn),
  };
}

interface DecidedRow {
  readonly meter_id: number;
  readonly from_at: number;
  readonly to_at: number;
}
interface UnseenRow {
  readonly meter_id: number;
  readonly concerns: Rows;
  readonly rule: string;
  readonly at: number;
  readonly finding: number;
  readonly seen_to: number;
}

// Of hardly any meter there is one.
const SELECT_DECIDED = `
  select d.meter_id, extract(epoch from min(d.from_at))::float8 * 1000 as from_at,
    extract(epoch from max(d.to_at))::float8 * 1000 as to_at
  from unnest($3::integer[], $4::timestamptz[], $5::timestamptz[]) as r(meter_id, first, last)
  join dispute_decisions d on d.utility_id = $1 and d.island_id = $2 and d.meter_id = r.meter_id
    and d.to_at >= r.first and d.from_at < r.last
  group by d.meter_id`;

const SELECT_UNSEEN = `
  select v.meter_id, v.concerns, f.rule, extract(epoch from v.at)::float8 * 1000 as at, min(f.finding_id)::float8 as finding,
    max(s.seen_to)::float8 as seen_to
  from unnest($3::integer[], $4::text[], $5::timestamptz[]) as v(meter_id, concerns, at)
  join plausibility_findings f on f.utility_id = $1 and f.island_id = $2 and f.meter_id = v.meter_id and f.disputes
    and f.to_at >= v.at and f.from_at < v.at and coalesce(f.concerns, v.concerns) = v.concerns
    and (f.stretches is null or f.stretches @> v.at)
  left join lateral (
    select max(d.seen_to) as seen_to from dispute_decisions d
    where d.utility_id = $1 and d.island_id = $2 and d.meter_id = v.meter_id and d.to_at >= v.at and d.from_at < v.at
      and f.finding_id = any(d.findings)
  ) s on true
  group by v.meter_id, v.concerns, f.rule, v.at
  having count(*) = count(s.seen_to)`;
