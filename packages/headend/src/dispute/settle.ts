import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql, type SqlPool } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import type { Meter } from "../inventory/meter.ts";
import { heldIntervals } from "../reading/held-intervals.ts";
import type { Decision } from "./standing.ts";
import { standingsOf } from "./standings-of.ts";

/** What somebody decides about values in dispute. */
export interface Settlement {
  readonly verdict: Decision["verdict"];
  /** What ends behind `from`, up to `to`, at the source, milliseconds since 1970 UTC. */
  readonly from: number;
  readonly to: number;
  /** Only what findings of this rule dispute; of all, and of other values that came for an instant, where it is absent. */
  readonly rule?: string;
  readonly reason: string;
  readonly by: string;
}

/** What a settlement changes of one meter: values that stand otherwise after it. */
export interface SettledMeter {
  readonly meter: Pick<Meter, "id" | "title" | "label">;
  readonly intervals: number;
  readonly registers: number;
  readonly powerQuality: number;
  /** Findings and contradicting answers that are settled by it. */
  readonly disputes: number;
}

/** Writes settled meters to the ledger, before they count. @returns the number of each one's entry, in their order. */
export type RecordSettled = (
  settled: readonly (SettledMeter & { readonly findings: readonly number[] })[],
) => Promise<readonly number[]>;

/**
 * Settles what is in dispute of meters in one go, or, without `record`, only says what that would change. Values stay as they
 * are: the decision stands beside them, with all that whoever decided could see. What is found later opens them again.
 *
 * @throws HeadEndError `dispute-unknown` where nothing is in dispute that could be settled so.
 */
export async function settleDisputes(
  pool: SqlPool,
  scope: Scope,
  meters: readonly SettledMeter["meter"][],
  settlement: Settlement,
  { now, record }: { now(): number; readonly record?: RecordSettled },
): Promise<readonly SettledMeter[]> {
  return inTransaction(pool, async (sql) => {
    // What arrives meanwhile is in neither count.
    await sql.query("set transaction isolation level repeatable read");
    await sql.query("savepoint before_decisions");
    const settled: (SettledMeter & Seen)[] = [];
    for (const meter of meters) settled.push(await decide(sql, scope, meter, settlement, now()));
    const changed = settled.filter(({ disputes }) => disputes > 0);
    // What was written to count what it changes has no entry yet.
    await sql.query("rollback to before_decisions");
    if (record !== undefined) {
      if (changed.length === 0)
        throw new HeadEndError("dispute-unknown", "nothing that these meters said in that time is in dispute so");
      const entries = await record(changed);
      for (const [at, one] of changed.entries())
        await insert(sql, scope, one.meter, settlement, one, now(), entries[at] as number);
    }
    return settled.map(({ meter, intervals, registers, powerQuality, disputes }) => ({
      meter,
      intervals,
      registers,
      powerQuality,
      disputes,
    }));
  });
}

/** What whoever decides could see. */
interface Seen {
  readonly findings: readonly number[];
  readonly contradictions: readonly number[];
}

async function decide(
  sql: Sql,
  scope: Scope,
  meter: SettledMeter["meter"],
  settlement: Settlement,
  now: number,
): Promise<SettledMeter & Seen> {
  const { from, to, rule } = settlement;
  const window = [...scope.place, meter.id, new Date(from), new Date(to)];
  const row = await firstRow<Seen>(sql, SELECT_SEEN, [...window, rule ?? null]);
  const seen = { findings: row?.findings ?? [], contradictions: row?.contradictions ?? [] };
  const disputes = seen.findings.length + seen.contradictions.length;
  const nothing = { meter, intervals: 0, registers: 0, powerQuality: 0, disputes, ...seen };
  if (disputes === 0) return nothing;
  const before = await standing(sql, scope, meter, settlement);
  await insert(sql, scope, meter, settlement, seen, now, 0);
  const after = await standing(sql, scope, meter, settlement);
  const changed = (of: keyof typeof before): number =>
    after[of].reduce((count, stands, at) => (stands === before[of][at] ? count : count + 1), 0);
  return {
    ...nothing,
    intervals: changed("intervals"),
    registers: changed("registers"),
    powerQuality: changed("powerQuality"),
  };
}

/** How each value of the time stands, in their order. */
async function standing(
  sql: Sql,
  scope: Scope,
  { id }: SettledMeter["meter"],
  { from, to }: Settlement,
): Promise<{ readonly [of in "intervals" | "registers" | "powerQuality"]: readonly string[] }> {
  const held = (await heldIntervals(sql, scope, [id], from + 1, to)).get(id) ?? [];
  const standings = (await standingsOf(sql, scope, [id], from, to)).get(id);
  const instants = await rows<{ readonly of: "readings" | "quality"; readonly at: number }>(sql, SELECT_INSTANTS, [
    ...scope.place,
    id,
    new Date(from),
    new Date(to),
  ]);
  const stands = (of: "readings" | "quality"): readonly string[] =>
    instants.filter((row) => row.of === of).map(({ at }) => standings?.at(at, of) ?? "undisputed");
  return {
    intervals: held
      .toSorted((one, other) => one.channel - other.channel || one.at - other.at)
      .map((one) => one.standing),
    registers: stands("readings"),
    powerQuality: stands("quality"),
  };
}

async function insert(
  sql: Sql,
  scope: Scope,
  { id }: SettledMeter["meter"],
  { verdict, from, to, by, reason }: Settlement,
  { findings, contradictions }: Seen,
  now: number,
  sequence: number,
): Promise<void> {
  await sql.query(INSERT_DECISION, [
    ...scope.place,
    id,
    new Date(from),
    new Date(to),
    verdict,
    findings,
    contradictions,
    new Date(now),
    by,
    reason,
    sequence,
  ]);
}

const SELECT_SEEN = `
  select
    (select coalesce(array_agg(finding_id::float8 order by finding_id), '{}') from plausibility_findings
     where utility_id = $1 and island_id = $2 and meter_id = $3 and disputes and to_at > $4 and from_at < $5
       and ($6::text is null or rule = $6)) as findings,
    (select coalesce(array_agg(distinct evidence_id::float8), '{}') from interval_corrections
     where utility_id = $1 and island_id = $2 and meter_id = $3 and at > $4 and at <= $5
       and $6::text is null) as contradictions`;

const SELECT_INSTANTS = `
  select 'readings' as of, extract(epoch from at)::float8 * 1000 as at, obis as key from register_readings
  where utility_id = $1 and island_id = $2 and meter_id = $3 and at > $4 and at <= $5
  union all
  select 'quality', extract(epoch from at)::float8 * 1000, '' from quality_readings
  where utility_id = $1 and island_id = $2 and meter_id = $3 and at > $4 and at <= $5
  order by 1, 2, 3`;

const INSERT_DECISION = `
  insert into dispute_decisions (utility_id, island_id, meter_id, from_at, to_at, verdict, findings, contradictions,
    decided_at, by_whom, reason, sequence)
  values ($1, $2, $3, $4, $5, $6, $7::bigint[], $8::bigint[], $9, $10, $11, $12)`;
