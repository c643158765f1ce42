import type { MeterKind, PlausibilityView } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { timeText } from "../view/time-text.ts";
import { type FindingSeverity, PLAUSIBILITY_RULES, type PlausibilityRuleId, SCORE_LIMITS } from "./rules.ts";
import { trustScores } from "./write-findings.ts";

/** Which findings. */
export interface FindingFilter {
  readonly meter: MeterId | undefined;
  readonly rule: string | undefined;
  readonly limit: number;
}

/** Findings, the newest first, with the scores of the meters that they are about and what was judged lately. */
export async function plausibilityView(
  sql: Sql,
  scope: Scope,
  { meter, rule, limit }: FindingFilter,
  sourceNow: (kind: MeterKind) => number,
): Promise<PlausibilityView> {
  const found = await rows<FindingRow>(sql, SELECT_FINDINGS, [...scope.place, meter ?? null, rule ?? null, limit]);
  const about = new Map(found.flatMap((row) => (row.meter_id === null ? [] : [[row.meter_id as MeterId, row]])));
  const scores: PlausibilityView["scores"] = [];
  for (const [kind, all] of Map.groupBy(about, ([, { kind: of }]) => of))
    if (kind !== null)
      for (const [id, score] of await trustScores(
        sql,
        scope,
        all.map(([one]) => one),
        sourceNow(kind),
      )) {
        const row = about.get(id) as FindingRow;
        scores.push({ meter: row.title as string, label: row.label as string, score });
      }
  const days = await rows<DayRow>(sql, SELECT_DAYS, [...scope.place]);
  const rereads = await firstRow<RereadsRow>(sql, COUNT_REREADS, [...scope.place]);
  return {
    findings: found.map((row) => ({
      rule: row.rule,
      words: wordsOf(row.rule),
      ...(row.title === null ? {} : { meter: row.title }),
      about: row.label ?? `${row.subject_kind === "transformer" ? "transformer " : ""}${row.subject}`,
      from: timeText(row.from_at),
      to: timeText(row.to_at),
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

/** All of a finding's stretch is settled by one decision, or it is disputed still. */
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
  readonly rule: string;
  readonly subject_kind: string;
  readonly subject: string;
  readonly meter_id: number | null;
  readonly kind: MeterKind | null;
  readonly title: string | null;
  readonly label: string | null;
  readonly from_at: Date;
  readonly to_at: Date;
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

const SELECT_FINDINGS = `
  select f.rule, f.subject_kind, f.subject, f.meter_id, m.kind, upper(encode(m.system_title, 'hex')) as title, m.label,
    f.from_at, f.to_at, f.found_at, f.severity, f.confidence, f.disputes, f.sentence, f.data,
    s.verdict, s.is_whole, s.by_whom, s.decided_at, s.reason
  from plausibility_findings f
  left join meters m on (m.utility_id, m.island_id, m.meter_id) = (f.utility_id, f.island_id, f.meter_id)
  left join lateral (
    select d.verdict, d.from_at <= f.from_at and d.to_at >= f.to_at as is_whole, d.by_whom, d.decided_at, d.reason
    from dispute_decisions d
    where (d.utility_id, d.island_id, d.meter_id) = (f.utility_id, f.island_id, f.meter_id)
      and d.from_at < f.to_at and d.to_at > f.from_at and f.finding_id = any(d.findings)
    order by d.decision_id desc limit 1
  ) s on true
  where f.utility_id = $1 and f.island_id = $2 and ($3::integer is null or f.meter_id = $3) and ($4::text is null or f.rule = $4)
  order by f.finding_id desc limit $5`;

const SELECT_DAYS = `
  select kind, to_char(day, 'YYYY-MM-DD') as day, meters, findings, cpu_milliseconds from plausibility_days
  where utility_id = $1 and island_id = $2 order by judged_at desc limit 10`;

const COUNT_REREADS = `
  select count(*) as asked, count(*) filter (where verdict = 'same') as same,
    count(*) filter (where verdict = 'differs') as differs, count(*) filter (where verdict = 'unanswered') as unanswered
  from rereads where utility_id = $1 and island_id = $2`;
