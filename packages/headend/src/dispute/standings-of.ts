import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { Decision, Dispute, Rows } from "./standing.ts";
import { Standings } from "./standing.ts";

/** How what meters said in `[from, to]` stands (milliseconds since 1970 UTC at the source; open where absent). */
export async function standingsOf(
  sql: Sql,
  scope: Scope,
  meters: readonly MeterId[],
  from: number | undefined,
  to: number | undefined,
): Promise<ReadonlyMap<MeterId, Standings>> {
  const bounds = [...scope.place, meters, dateOr(from, "-infinity"), dateOr(to, "infinity")];
  const found = Map.groupBy(await rows<DisputeRow>(sql, SELECT_DISPUTES, bounds), ({ meter_id }) => meter_id);
  const decided = Map.groupBy(await rows<DecisionRow>(sql, SELECT_DECISIONS, bounds), ({ meter_id }) => meter_id);
  return new Map(
    meters.map((meter) => [
      meter,
      new Standings((found.get(meter) ?? []).map(disputeOf), (decided.get(meter) ?? []).map(decisionOf)),
    ]),
  );
}

/** A bound of a window as SQL has it. */
export function dateOr(at: number | undefined, open: string): Date | string {
  return at === undefined ? open : new Date(at);
}

interface DisputeRow {
  readonly meter_id: number;
  readonly finding: number;
  readonly concerns: Rows | null;
  readonly newer_than: number | null;
  readonly from_at: number;
  readonly to_at: number;
}
interface DecisionRow {
  readonly meter_id: number;
  readonly from_at: number;
  readonly to_at: number;
  readonly verdict: Decision["verdict"];
  readonly findings: readonly number[];
  readonly contradictions: readonly number[];
  readonly seen_to: number;
}

function disputeOf({ finding, concerns, newer_than, from_at, to_at }: DisputeRow): Dispute {
  return { finding, concerns: concerns ?? undefined, newerThan: newer_than ?? undefined, from: from_at, to: to_at };
}

function decisionOf({ from_at, to_at, verdict, findings, contradictions, seen_to }: DecisionRow): Decision {
  return {
    from: from_at,
    to: to_at,
    verdict,
    findings: new Set(findings),
    contradictions: new Set(contradictions),
    seenTo: seen_to,
  };
}

const WINDOW = `where utility_id = $1 and island_id = $2 and meter_id = any($3::integer[])
  and to_at >= $4::timestamptz and from_at < $5::timestamptz`;
const MS = (bound: string): string => `extract(epoch from ${bound})::float8 * 1000`;

// One that names no stretches is about all of its time.
const SELECT_DISPUTES = `
  select meter_id, finding_id::float8 as finding, concerns, newer_than::float8, ${MS("coalesce(lower(s), from_at)")} as from_at,
    ${MS("coalesce(upper(s), to_at)")} as to_at
  from plausibility_findings left join lateral unnest(stretches) as s on true ${WINDOW} and disputes`;

const SELECT_DECISIONS = `
  select meter_id, ${MS("from_at")} as from_at, ${MS("to_at")} as to_at, verdict, findings::float8[],
    contradictions::float8[], seen_to::float8
  from dispute_decisions ${WINDOW}
  order by decision_id`;

/**
 * SQL: whether somebody has decided so about all of finding `f` at once, and nobody has thought otherwise of a part of it since. `verdict`
 * is an expression.
 */
export function isDecidedWhole(verdict: string): string {
  return `exists (
    select from dispute_decisions w
    where (w.utility_id, w.island_id, w.meter_id) = (f.utility_id, f.island_id, f.meter_id) and f.finding_id = any(w.findings)
      and w.verdict = ${verdict} and w.from_at <= f.from_at and w.to_at >= f.to_at
      and not exists (select from dispute_decisions o
        where (o.utility_id, o.island_id, o.meter_id) = (f.utility_id, f.island_id, f.meter_id) and f.finding_id = any(o.findings)
          and o.verdict <> w.verdict and o.decision_id > w.decision_id))`;
}
