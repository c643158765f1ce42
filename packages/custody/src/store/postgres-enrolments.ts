import type { Pool, PoolClient } from "pg";
import { type EnrolmentPolicy, URGENT_RISK } from "../enrolment/policy.ts";
import { CustodyError } from "../errors.ts";
import { titleOctets } from "./postgres-writes.ts";
import type { EnrolmentCounts, EnrolmentPlanning, EnrolmentRecords, Write } from "./store.ts";

/** An enrolment is planned in a change of something else: of one that is open, or was numbered so, the database has one. */
export async function planEnrolment(
  client: PoolClient,
  { enrolment: of }: Extract<Write, { kind: "plan-enrolment" }>,
): Promise<void> {
  await client.query(
    `insert into enrolments (utility, island, system_title, enrolment, cause, risk, planned_ms, planned_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [of.utility, of.island, titleOctets(of.systemTitle), of.enrolment, of.cause, of.risk, of.plannedAt, of.plannedBy],
  );
}

/** An enrolment begins, or ends. */
export async function markEnrolment(
  client: PoolClient,
  { place, enrolment, begunAt, endedAt, outcome, expiresAt }: Extract<Write, { kind: "mark-enrolment" }>,
): Promise<void> {
  const { rowCount } = await client.query(
    `update enrolments set begun_ms = coalesce(begun_ms, $5), ended_ms = $6, outcome = $7, expires_ms = $8
     where (utility, island, system_title, enrolment) = ($1, $2, $3, $4) and ended_ms is null`,
    [
      place.utility,
      place.island,
      titleOctets(place.systemTitle),
      enrolment,
      begunAt,
      endedAt ?? null,
      outcome ?? null,
      expiresAt ?? null,
    ],
  );
  if (rowCount !== 1) throw new CustodyError("custody-write-conflict", "an enrolment that is over was to go on");
}

const CAPABLE = "m.origin = 'shipped' and m.security_suite > 0 and m.profile = any($1::text[])";
const OWN = "(e.utility, e.island, e.system_title) = (m.utility, m.island, m.system_title)";

// Only a meter whose master key is proven: what is asked for under keys that nobody has proven, anybody may have asked.
const planIn = (meters: string) => `
  with planned as (
    insert into enrolments (utility, island, system_title, enrolment, cause, risk, planned_ms, planned_by)
    select utility, island, system_title, coalesce(newest, 0) + 1, $3, $4::integer + age, $5, $6
    from (
      select m.utility, m.island, m.system_title, n.enrolment as newest,
        -- The longest ago first.
        least(99, ($5 - coalesce(n.ended_ms, $5)) / 86400000 / 40)::integer as age
      from ${meters} left join lateral (select * from enrolments e where ${OWN} order by enrolment desc limit 1) n on true
      where ${CAPABLE}
        and ($2::bytea[] = '{}' or m.system_title = any($2))
        and exists (select from meter_keys k where (k.utility, k.island, k.system_title) = (m.utility, m.island,
          m.system_title) and k.setup = 0 and k.purpose = 3 and k.proven_ms is not null)
        and (n.enrolment is null or n.ended_ms is not null)
        and case $3 when 'first' then n.enrolment is null
          when 'renewal' then n.outcome = 'enrolled' and (n.ended_ms < $7 or n.expires_ms < $8) else true end
    ) fitting order by age desc, system_title limit $9
    on conflict do nothing returning 1
  )
  select count(*)::integer as planned from planned`;

const PLAN = planIn("meters m");
// The policy looks every few minutes, mostly for nobody: what may have to be renewed an index finds.
const PLAN_RENEWALS = planIn(`(select distinct system_title from enrolments
  where outcome = 'enrolled' and (ended_ms < $7 or expires_ms < $8)) s join meters m using (system_title)`);

const DUE = `
  (select system_title, true as begun, risk from enrolments where ended_ms is null and begun_ms is not null
    and system_title <> all($3::bytea[]) order by begun_ms limit $1)
  union all
  (select system_title, false, risk from enrolments where ended_ms is null and begun_ms is null
    order by risk desc, planned_ms, system_title limit $2)`;

const COUNTS = `
  select count(*)::integer as capable,
    (count(*) filter (where n.enrolment is not null and n.ended_ms is null and n.begun_ms is null))::integer as planned,
    (count(*) filter (where n.ended_ms is null and n.begun_ms is not null))::integer as "underWay",
    (count(*) filter (where n.outcome = 'enrolled'))::integer as enrolled,
    (count(*) filter (where n.outcome = 'failed'))::integer as failed
  from meters m left join lateral (select * from enrolments e where ${OWN} order by enrolment desc limit 1) n on true
  where ${CAPABLE}`;

const WHOLE = ["*", "*"] as const;

/** Enrolments in PostgreSQL. */
export function enrolmentsIn(pool: Pool): EnrolmentRecords {
  return {
    plan: async (plan) => {
      const isLook = plan.cause === "renewal" && plan.meters.length === 0;
      const { rows } = await pool.query<{ planned: number }>(isLook ? PLAN_RENEWALS : PLAN, planValues(plan));
      return rows[0]?.planned ?? 0;
    },
    due: async (begun, waiting, resting) => {
      const { rows } = await pool.query<{ system_title: Buffer; begun: boolean; risk: number }>(DUE, [
        begun,
        waiting,
        resting.map(titleOctets),
      ]);
      return rows.map((row) => ({
        systemTitle: titleText(row.system_title),
        begun: row.begun,
        isUrgent: row.risk >= URGENT_RISK,
      }));
    },
    titles: async (profiles, after, limit) => {
      const { rows } = await pool.query<{ system_title: Buffer }>(
        `select system_title from meters m where ${CAPABLE} and m.system_title > $2 order by m.system_title limit $3`,
        [profiles, titleOctets(after ?? ""), limit],
      );
      return rows.map((row) => titleText(row.system_title));
    },
    counts: async (profiles) => {
      const { rows } = await pool.query<EnrolmentCounts>(COUNTS, [profiles]);
      return rows[0] as EnrolmentCounts;
    },
    pace: async (since, spanMilliseconds) => {
      const { rows } = await pool.query<{ enrolled: number; spans: number }>(
        `select count(*)::integer as enrolled, count(distinct ended_ms / $2::bigint)::integer as spans
         from enrolments where outcome in ('enrolled', 'freed') and ended_ms >= $1`,
        [since, spanMilliseconds],
      );
      return rows[0] as { enrolled: number; spans: number };
    },
    policy: async () => {
      const { rows } = await pool.query<EnrolmentPolicy>(
        `select renew_after_days as "renewAfterDays", renew_before_days as "renewBeforeDays", per_day as "perDay"
         from enrolment_policies where (utility, island) = ($1, $2)`,
        [...WHOLE],
      );
      return rows[0];
    },
    setPolicy: async ({ renewAfterDays, renewBeforeDays, perDay }) => {
      await pool.query(
        `insert into enrolment_policies (utility, island, renew_after_days, renew_before_days, per_day)
         values ($1, $2, $3, $4, $5) on conflict (utility, island) do update set
         renew_after_days = excluded.renew_after_days, renew_before_days = excluded.renew_before_days,
         per_day = excluded.per_day`,
        [...WHOLE, renewAfterDays, renewBeforeDays, perDay],
      );
    },
  };
}

function planValues(plan: EnrolmentPlanning): unknown[] {
  return [
    plan.profiles,
    plan.meters.map(titleOctets),
    plan.cause,
    plan.risk,
    plan.at,
    plan.plannedBy,
    plan.enrolledBefore ?? 0,
    plan.endingBefore ?? 0,
    plan.limit,
  ];
}

function titleText(title: Buffer): string {
  return title.toString("hex").toUpperCase();
}
