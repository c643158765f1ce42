import type { MeterKind, PlausibilityView } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import type { Rows } from "../dispute/standing.ts";
import { isDecidedWhole } from "../dispute/standings-of.ts";
import type { MeterId } from "../inventory/meter.ts";
import { optional, timeText } from "../view/time-text.ts";
import { type FindingSeverity, PLAUSIBILITY_RULES, type PlausibilityRuleId, SCORE_LIMITS } from "./rules.ts";
import { trustScores } from "./write-findings.ts";

/** Which findings. */
export interface FindingFilter {
  readonly meter: MeterId | undefined;
  readonly rule: string | undefined;
  /** Only those that dispute values. */
  readonly disputes?: boolean;
  /** Only those with a lower number. */
  readonly before?: number;
  readonly limit: number;
}

/** Findings, the newest first, with the scores of the meters that they are about and what was judged lately. */
export async function plausibilityView(
  sql: Sql,
  scope: Scope,
  { meter, rule, disputes = false, before, limit }: FindingFilter,
  sourceNow: (kind: MeterKind) => number,
): Promise<PlausibilityView> {
  const chosen = [...scope.place, meter ?? null, rule ?? null, disputes, before ?? null];
  const found = await rows<FindingRow>(sql, SELECT_FINDINGS, [...chosen, limit]);
  const all = found.length < limit ? undefined : await firstRow<{ all: string }>(sql, COUNT_FINDINGS, chosen);
  const about = new Map(found.flatMap((row) => (row.meter_id === null ? [] : [[row.meter_id as MeterId, row]])));
  const scores: PlausibilityView["scores"] = [];
  for (const [kind, of] of Map.groupBy(about, ([, row]) => row.kind))
    if (kind !== null)
      for (const [id, score] of await trustScores(
        sql,
        scope,
        of.map(([one]) => one),
        sourceNow(kind),
      )) {
        const row = about.get(id) as FindingRow;
        scores.push({ meter: row.title as string, label: row.label as string, score });
      }
  const days = await rows<DayRow>(sql, SELECT_DAYS, [...scope.place]);
  const rereads = await firstRow<RereadsRow>(sql, COUNT_REREADS, [...scope.place]);
  return {
    older: all === undefined ? 0 : Number(all.all) - found.length,
    findings: found.map((row) => ({
      number: row.number,
      rule: row.rule,
      words: wordsOf(row.rule),
      ...(row.title === null ? {} : { meter: row.title }),
      about: row.label ?? `${row.subject_kind === "transformer" ? "transformer " : ""}${row.subject}`,
      from: timeText(row.from_at),
      to: timeText(row.to_at),
      ...optional(
        "stretches",
        row.stretches?.map(([from, to]) => ({ from: timeText(from), to: timeText(to) })),
      ),
      ...optional("concerns", row.concerns),
      foundAt: timeText(row.found_at),
      severity: row.severity,
      confidence: row.confidence,
      disputes: row.disputes,
      ...standingOf(row),
      sentence: row.sentence,
      data: row.data,
    })),
    scores: scores.sort((one, other) => one.score - other.score),
    days: days.map(({ kind, day, meters, findings, cpu_milliseconds }) => ({
      kind,
      day,
      meters,
      findings,
      cpuMilliseconds: cpu_milliseconds,
    })),
    rereads: {
      asked: Number(rereads?.asked ?? 0),
      same: Number(rereads?.same ?? 0),
      differs: Number(rereads?.differs ?? 0),
      unanswered: Number(rereads?.unanswered ?? 0),
    },
  };
}

/**
 * All of a finding's stretch is settled by one decision, or it is disputed still. What has come into its time since is another
 * finding's.
 */
function standingOf({ disputes, verdict, is_whole, by_whom, decided_at, reason }: FindingRow) {
  if (!disputes) return { standing: "undisputed" } as const;
  if (verdict === null || decided_at === null) return { standing: "disputed" } as const;
  const decision = { verdict, by: by_whom ?? "", at: timeText(decided_at), reason: reason ?? "" };
  return { standing: is_whole === true ? verdict : "disputed", decision } as const;
}

function wordsOf(rule: string): string {
  if (Object.hasOwn(PLAUSIBILITY_RULES, rule)) return PLAUSIBILITY_RULES[rule as PlausibilityRuleId].words;
  return `a score below ${SCORE_LIMITS.disputed} disputes what a meter says`;
}

interface FindingRow {
  readonly number: number;
  readonly rule: string;
  readonly subject_kind: string;
  readonly subject: string;
  readonly meter_id: number | null;
  readonly kind: MeterKind | null;
  readonly title: string | null;
  readonly label: string | null;
  readonly from_at: Date;
  readonly to_at: Date;
  /** Bounds, milliseconds since 1970 UTC. */
  readonly stretches: readonly (readonly [from: number, to: number])[] | null;
  readonly concerns: Rows | null;
  readonly found_at: Date;
  readonly severity: FindingSeverity;
  readonly confidence: number;
  readonly disputes: boolean;
  readonly sentence: string;
  readonly data: Record<string, number | string>;
  readonly verdict: "accepted" | "rejected" | null;
  readonly is_whole: boolean | null;
  readonly by_whom: string | null;
  readonly decided_at: Date | null;
  readonly reason: string | null;
}
interface DayRow {
  readonly kind: MeterKind;
  readonly day: string;
  readonly meters: number;
  readonly findings: number;
  readonly cpu_milliseconds: number;
}
interface RereadsRow {
  readonly asked: string;
  readonly same: string;
  readonly differs: string;
  readonly unanswered: string;
}

const CHOSEN = `f.utility_id = $1 and f.island_id = $2 and ($3::integer is null or f.meter_id = $3)
  and ($4::text is null or f.rule = $4) and (f.disputes or not $5) and ($6::bigint is null or f.finding_id < $6)`;

const COUNT_FINDINGS = `select count(*) as all from plausibility_findings f where ${CHOSEN}`;

const SELECT_FINDINGS = `
  select f.finding_id::float8 as number, f.rule, f.subject_kind, f.subject, f.meter_id, m.kind, upper(encode(m.system_title, 'hex')) as title, m.label,
    f.from_at, f.to_at, f.concerns, f.found_at, f.severity, f.confidence, f.disputes, f.sentence, f.data,
    s.verdict, s.is_whole, s.by_whom, s.decided_at, s.reason,
    (select jsonb_agg(jsonb_build_array(extract(epoch from lower(r)) * 1000, extract(epoch from upper(r)) * 1000) order by r)
     from unnest(f.stretches) as r) as stretches
  from plausibility_findings f
  left join meters m on (m.utility_id, m.island_id, m.meter_id) = (f.utility_id, f.island_id, f.meter_id)
  left join lateral (
    select d.verdict, ${isDecidedWhole("d.verdict")} as is_whole, d.by_whom, d.decided_at, d.reason
    from dispute_decisions d
    where (d.utility_id, d.island_id, d.meter_id) = (f.utility_id, f.island_id, f.meter_id)
      and d.from_at < f.to_at and d.to_at > f.from_at and f.finding_id = any(d.findings)
    order by d.decision_id desc limit 1
  ) s on true
  where ${CHOSEN}
  order by f.finding_id desc limit $7`;

const SELECT_DAYS = `
  select kind, to_char(day, 'YYYY-MM-DD') as day, meters, findings, cpu_milliseconds from plausibility_days
  where utility_id = $1 and island_id = $2 order by judged_at desc limit 10`;

const COUNT_REREADS = `
  select count(*) as asked, count(*) filter (where verdict = 'same') as same,
    count(*) filter (where verdict = 'differs') as differs, count(*) filter (where verdict = 'unanswered') as unanswered
  from rereads where utility_id = $1 and island_id = $2`;
