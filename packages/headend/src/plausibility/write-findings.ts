import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { Rows } from "../dispute/standing.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { Stretch } from "../reading/coverage.ts";
import { type PlausibilityFinding, type Subject, trustScore } from "./finding.ts";
import { type FindingSeverity, PLAUSIBILITY_RULES, SCORE_LIMITS } from "./rules.ts";

/** The name under which it is written that a meter's score is low. */
const LOW_SCORE = "score";

/** Writes findings; one that is known of that subject, cause and time already is left out. @returns those that are new. */
export async function writeFindings(
  sql: Sql,
  scope: Scope,
  findings: readonly PlausibilityFinding[],
  foundAt: number,
): Promise<readonly PlausibilityFinding[]> {
  if (findings.length === 0) return [];
  const entries = findings.map((finding) => {
    const { rule, stretches, newerThan, confidence, sentence, data } = finding;
    const { severity, disputes } = PLAUSIBILITY_RULES[rule];
    return {
      ...keyRow(finding),
      stretches: stretches === undefined ? null : multirangeText(stretches),
      newer_than: newerThan ?? null,
      severity,
      confidence,
      disputes,
      sentence,
      data,
    };
  });
  const added = await insert(sql, scope, entries, foundAt);
  return findings.filter((finding) => added.has(keyText(keyRow(finding))));
}

/**
 * Marks what meters said in a stretch as disputed whose score is low: who has been implausible in many ways, or in a grave one,
 * is not believed until that has faded.
 */
export async function disputeLowScores(
  sql: Sql,
  scope: Scope,
  meters: readonly MeterId[],
  stretch: { readonly from: number; readonly to: number },
  foundAt: number,
): Promise<void> {
  const low = [...(await trustScores(sql, scope, meters, stretch.to))].filter(
    ([, score]) => score < SCORE_LIMITS.disputed,
  );
  const entries = low.map(([meter, score]) => ({
    ...keyRow({ rule: LOW_SCORE, subject: { kind: "meter", meter }, stretch }),
    severity: "info",
    confidence: 1,
    disputes: true,
    sentence: `Its score is ${score.toFixed(0)} of 100: what it says is disputed${score < SCORE_LIMITS.fieldVisit ? "; its keys are to be changed, and somebody has to go there" : ""}.`,
    data: { score },
  }));
  if (entries.length > 0) await insert(sql, scope, entries, foundAt);
}

/** Values that came into a time about which somebody had decided. */
export interface LateValues {
  readonly meter: MeterId;
  readonly concerns: Rows;
  readonly stretches: readonly Stretch[];
  /** The finding that was settled; none where only contradicting answers were. */
  readonly finding?: number;
  readonly rule: string;
  /** The number of the newest evidence that was seen then. */
  readonly newerThan: number;
  /** They stand beside values that are held, which they contradict: those they dispute by themselves. */
  readonly isOther?: true;
}

/** So many findings are made of what comes late after one decision; the next is about all that is still to come. */
const MOST_LATE_FINDINGS = 16;

/**
 * Writes that nobody has decided about values that came late: they are settled as what was found before, and take nothing from the
 * score, which has fallen for the same cause. A meter that gives more and more of a time makes a list of them that ends: the last
 * is about what comes later in all of the finding that was settled, so that no more are needed.
 */
export async function disputeLate(sql: Sql, scope: Scope, late: readonly LateValues[], foundAt: number): Promise<void> {
  if (late.length === 0) return;
  const many = await rows<ManyRow>(sql, SELECT_MANY_LATE, [
    ...scope.place,
    late.map(({ meter }) => meter),
    late.map(({ rule }) => rule),
    late.map(({ concerns }) => concerns),
    late.map(({ newerThan }) => newerThan),
    late.map(({ finding }) => finding ?? null),
    MOST_LATE_FINDINGS,
  ]);
  const entries = late.flatMap(({ meter, concerns, stretches, finding, rule, newerThan, isOther }, n) => {
    const [first, last] = [stretches[0], stretches.at(-1)];
    if (first === undefined || last === undefined) return [];
    const whole = isOther === true ? undefined : many.find((one) => Number(one.n) === n + 1);
    const stretch =
      whole === undefined
        ? { from: first.from, to: last.to }
        : { from: whole.from_at.getTime(), to: whole.to_at.getTime() };
    return {
      ...keyRow({ rule, subject: { kind: "meter", meter }, stretch, concerns }),
      stretches: whole !== undefined ? whole.stretches : stretches.length > 1 ? multirangeText(stretches) : null,
      newer_than: newerThan,
      severity: "info",
      confidence: 1,
      disputes: true,
      sentence: sentenceOfLate(finding, isOther === true, whole !== undefined),
      data: finding === undefined ? {} : { finding },
    };
  });
  if (entries.length > 0) await insert(sql, scope, entries, foundAt);
}

function sentenceOfLate(finding: number | undefined, isOther: boolean, isAll: boolean): string {
  const decided = `somebody had decided about ${finding === undefined ? "that time" : `finding ${finding}, which is about their time`}`;
  if (isOther) return `Other values than those that are held came after ${decided}: nobody has seen them.`;
  const more = isAll ? " So is all that still comes of that time: there is too much of it to be told one by one." : "";
  return `These values came after ${decided}: nobody has seen them.${more}`;
}

/** The scores of those meters of which anything was found that has not faded, as of a moment at the source. */
export async function trustScores(
  sql: Sql,
  scope: Scope,
  meters: readonly MeterId[],
  now: number,
): Promise<ReadonlyMap<MeterId, number>> {
  const found = await rows<WeighedRow>(sql, SELECT_WEIGHED, [...scope.place, meters, new Date(now)]);
  const byMeter = Map.groupBy(found, ({ meter_id }) => meter_id as MeterId);
  return new Map([...byMeter].map(([meter, weighed]) => [meter, trustScore(weighed, now)]));
}

async function insert(
  sql: Sql,
  scope: Scope,
  entries: readonly object[],
  foundAt: number,
): Promise<ReadonlySet<string>> {
  const added = await rows<AddedRow>(sql, INSERT_FINDINGS, [
    ...scope.place,
    new Date(foundAt),
    JSON.stringify(entries),
  ]);
  return new Set(
    added.map((row) => {
      const [from_at, to_at] = [row.from_at.toISOString(), row.to_at.toISOString()];
      return keyText({ ...row, from_at, to_at, seen_at: row.seen_at?.toISOString() ?? null });
    }),
  );
}

interface SubjectRow {
  readonly subject_kind: Subject["kind"];
  readonly subject: string;
  readonly meter_id: number | null;
}

function subjectRow(subject: Subject): SubjectRow {
  const { kind } = subject;
  switch (kind) {
    case "meter":
      return { subject_kind: kind, subject: String(subject.meter), meter_id: subject.meter };
    case "transformer":
      return { subject_kind: kind, subject: subject.transformer, meter_id: null };
    case "cohort":
      return { subject_kind: kind, subject: subject.cohort, meter_id: null };
    default:
      return kind satisfies never;
  }
}

function multirangeText(stretches: readonly Stretch[]): string {
  return `{${stretches
    .map(stretchRow)
    .map(({ from_at, to_at }) => `(${from_at},${to_at}]`)
    .join()}}`;
}

function stretchRow({ from, to }: { readonly from: number; readonly to: number }) {
  return { from_at: new Date(from).toISOString(), to_at: new Date(to).toISOString() };
}

/** What tells one finding from another. */
interface KeyRow extends Omit<SubjectRow, "meter_id"> {
  readonly rule: string;
  readonly from_at: string;
  readonly to_at: string;
  readonly concerns: string | null;
  readonly seen_at: string | null;
}

function keyRow({
  rule,
  subject,
  stretch,
  concerns,
  seenAt,
}: Pick<PlausibilityFinding, "subject" | "stretch" | "concerns" | "seenAt"> & { readonly rule: string }): KeyRow &
  SubjectRow {
  return {
    rule,
    ...subjectRow(subject),
    ...stretchRow(stretch),
    concerns: concerns ?? null,
    seen_at: seenAt === undefined ? null : new Date(seenAt).toISOString(),
  };
}

function keyText({ rule, subject_kind, subject, from_at, to_at, concerns, seen_at }: KeyRow): string {
  return JSON.stringify([rule, subject_kind, subject, from_at, to_at, concerns, seen_at]);
}

interface AddedRow extends Omit<KeyRow, "from_at" | "to_at" | "seen_at"> {
  readonly from_at: Date;
  readonly to_at: Date;
  readonly seen_at: Date | null;
}

interface WeighedRow {
  readonly meter_id: number;
  readonly rule: string;
  readonly severity: FindingSeverity;
  readonly confidence: number;
  readonly at: number;
}

interface ManyRow {
  /** Which of those that are asked about, from 1 on. */
  readonly n: string;
  readonly from_at: Date;
  readonly to_at: Date;
  readonly stretches: string | null;
}

const SELECT_MANY_LATE = `
  select a.n, f.from_at, f.to_at, f.stretches::text as stretches
  from unnest($3::integer[], $4::text[], $5::text[], $6::bigint[], $7::bigint[]) with ordinality
    as a(meter_id, rule, concerns, newer_than, finding_id, n)
  join plausibility_findings f on f.utility_id = $1 and f.island_id = $2 and f.finding_id = a.finding_id
  where (select count(*) from plausibility_findings o
    where o.utility_id = $1 and o.island_id = $2 and o.meter_id = a.meter_id and o.rule = a.rule and o.concerns = a.concerns
      and o.newer_than = a.newer_than and o.to_at > f.from_at) >= $8`;

const INSERT_FINDINGS = `
  insert into plausibility_findings (utility_id, island_id, rule, subject_kind, subject, meter_id, from_at, to_at, found_at,
    severity, confidence, disputes, concerns, stretches, seen_at, newer_than, sentence, data)
  select $1, $2, f.rule, f.subject_kind, f.subject, f.meter_id, f.from_at, f.to_at, $3, f.severity, f.confidence, f.disputes,
    f.concerns, f.stretches, f.seen_at, f.newer_than, f.sentence, f.data
  from jsonb_to_recordset($4) as f(rule text, subject_kind text, subject text, meter_id integer, from_at timestamptz,
    to_at timestamptz, severity text, confidence real, disputes boolean, concerns text, stretches tstzmultirange, seen_at timestamptz,
    newer_than bigint, sentence text, data jsonb)
  on conflict do nothing
  returning rule, subject_kind, subject, from_at, to_at, concerns, seen_at`;

// After ten half-lives a thousandth is left.
const SELECT_WEIGHED = `
  select meter_id, rule, severity, confidence, extract(epoch from coalesce(seen_at, to_at))::float8 * 1000 as at
  from plausibility_findings
  where utility_id = $1 and island_id = $2 and meter_id = any($3::integer[]) and severity <> 'info'
    and coalesce(seen_at, to_at) > $4::timestamptz - interval '70 days' and least(from_at, seen_at) <= $4`;
