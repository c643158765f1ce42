import type { Ledger } from "@meterkeep/ledger";
import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql } from "../database/sql.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";

export interface ForgetPorts {
  readonly sql: Sql;
  readonly scope: Scope;
  readonly ledger: Pick<Ledger, "append">;
  now(): number;
}

/** What was forgotten. */
export interface Forgotten {
  readonly evidence: number;
  readonly intervals: number;
  readonly registers: number;
}

/** Rows a statement deletes: it holds its locks for a moment only, and sessions go on between. */
const BATCH_ROWS = 5_000;

/**
 * Forgets what came in more than `days` ago: readings, the octets they rest on, and the ladders in which those stand again.
 * Numbers and evidence go together, so that no number is without its evidence and no household's octets outlive its numbers.
 * Takeovers, trust and the ledger stay. It is ledgered before it is done, in batches, and what breaks off is gone on with the
 * next time.
 */
export async function forgetReadings(ports: ForgetPorts, days: number): Promise<Forgotten> {
  const { sql, scope, ledger, now } = ports;
  const before = new Date(now() - days * DAY_MILLISECONDS);
  const old = await firstRow<{ last: string | null; count: string }>(
    sql,
    // Up to the first that is too young: numbers rise with time but for moments.
    `select max(evidence_id) as last, count(*) as count from evidence
     where utility_id = $1 and island_id = $2 and received_at < $3 and evidence_id < coalesce(
       (select evidence_id from evidence where utility_id = $1 and island_id = $2 and received_at >= $3
        order by evidence_id limit 1), 9223372036854775807)`,
    [...scope.place, before],
  );
  const last = old?.last ?? null;
  if (last !== null)
    await ledger.append({
      at: now(),
      kind: "readings-forgotten",
      principal: "head-end",
      utility: scope.utility,
      island: scope.island,
      body: { keepDays: days, receivedBefore: before.toISOString(), evidence: Number(old?.count) },
    });
  /** Deletes in batches until one is not full, and gives the sum of its rows or of another of its columns. */
  const batches = async (statement: string, bound: unknown, sum: "count" | "intervals" = "count"): Promise<number> => {
    for (let all = 0; ; ) {
      const row = await firstRow<Record<string, string>>(sql, statement, [...scope.place, bound, BATCH_ROWS]);
      all += Number(row?.[sum] ?? 0);
      if (Number(row?.["count"] ?? 0) < BATCH_ROWS) return all;
    }
  };
  const intervals =
    last === null ? 0 : (await batches(DELETE_INTERVALS, last)) + (await batches(DELETE_DAYS, last, "intervals"));
  if (last !== null) await batches(deleteOf("interval_corrections"), last);
  await sql.query("select drop_empty_meter_days($1::date)", [before]);
  const registers = last === null ? 0 : await batches(deleteOf("register_readings"), last);
  if (last !== null)
    for (const table of ["meter_events", "quality_readings"] as const) await batches(deleteOf(table), last);
  const evidence = last === null ? 0 : await batches(DELETE_EVIDENCE, last);
  await batches(DELETE_SESSIONS, before);
  return { evidence, intervals, registers };
}

const DELETE_INTERVALS = `
  with gone as (
    delete from interval_readings where ctid = any(array(
      select ctid from interval_readings where utility_id = $1 and island_id = $2 and evidence_id <= $3::bigint limit $4))
    returning meter_id, trust_at_capture, protection
  ), counted as (
    select meter_id, count(*) as n,
      count(*) filter (where trust_at_capture = 'trusted' and protection = 'authenticated') as trusted
    from gone group by meter_id
  ), fewer as (
    update meter_latest l set interval_count = l.interval_count - c.n,
      trusted_interval_count = l.trusted_interval_count - c.trusted
    from counted c where l.utility_id = $1 and l.island_id = $2 and l.meter_id = c.meter_id
  )
  select coalesce(sum(n), 0) as count from counted`;

/** Of a table whose rows rest on one piece of evidence each, and are counted nowhere else. */
const deleteOf = (
  table: "interval_corrections" | "register_readings" | "meter_events" | "quality_readings",
): string => `
  with gone as (
    delete from ${table} where ctid = any(array(
      select ctid from ${table} where utility_id = $1 and island_id = $2 and evidence_id <= $3::bigint limit $4))
    returning 1
  )
  select count(*) from gone`;

// A packed day goes when all that it rests on goes.
const DELETE_DAYS = `
  with gone as (
    delete from meter_days d using (
      select day, meter_id, part from meter_days where utility_id = $1 and island_id = $2 and evidence_to <= $3::bigint limit $4
    ) old
    where d.utility_id = $1 and d.island_id = $2 and (d.day, d.meter_id, d.part) = (old.day, old.meter_id, old.part)
    returning d.meter_id, d.value_count, d.trusted_count
  ), counted as (
    select meter_id, count(*) as rows, sum(value_count) as n, sum(trusted_count) as trusted from gone group by meter_id
  ), fewer as (
    update meter_latest l set interval_count = l.interval_count - c.n,
      trusted_interval_count = l.trusted_interval_count - c.trusted
    from counted c where l.utility_id = $1 and l.island_id = $2 and l.meter_id = c.meter_id
  )
  select coalesce(sum(rows), 0) as count, coalesce(sum(n), 0) as intervals from counted`;

const DELETE_EVIDENCE = `
  with gone as (
    delete from evidence where ctid = any(array(
      select ctid from evidence where utility_id = $1 and island_id = $2 and evidence_id <= $3::bigint limit $4))
    returning meter_id, hash
  ), blank as (
    update meter_latest l set power_w = null, energy_wh = null, reading_at = null, evidence_hash = null, protection = null
    from gone g where l.utility_id = $1 and l.island_id = $2 and l.meter_id = g.meter_id and l.evidence_hash = g.hash
  )
  select count(*) from gone`;

const DELETE_SESSIONS = `
  with gone as (
    delete from sessions where ctid = any(array(
      select ctid from sessions
      where utility_id = $1 and island_id = $2 and ended_at < $3 and purpose <> 'takeover' limit $4))
    returning 1
  )
  select count(*) from gone`;
