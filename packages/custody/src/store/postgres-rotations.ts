import type { Pool, PoolClient } from "pg";
import { CustodyError } from "../errors.ts";
import type { KeyPolicy } from "../keys/key-policy.ts";
import { titleOctets } from "./postgres-writes.ts";
import type { PurposeNumber, SetupPlace } from "./records.ts";
import type { KeyLifeCounts, RotationPlan, RotationRecords, Write } from "./store.ts";

type WriteOf<K extends Write["kind"]> = Extract<Write, { kind: K }>;

const placeOf = ({ utility, island, systemTitle, setup }: SetupPlace) => [
  utility,
  island,
  titleOctets(systemTitle),
  setup,
];

/** Overwrites a key that has gone. */
export async function destroyKey(client: PoolClient, write: WriteOf<"destroy-key">): Promise<void> {
  await client.query("select destroy_key($1, $2, $3, $4::smallint, $5::smallint, $6, $7)", [
    ...placeOf(write.place),
    write.purpose,
    write.version,
    write.at,
  ]);
}

/** A rotation begins, or ends. */
export async function markRotation(client: PoolClient, write: WriteOf<"mark-rotation">): Promise<void> {
  const { rowCount } = await client.query(
    `update rotations set begun_ms = coalesce(begun_ms, $6), ended_ms = $7, outcome = $8
     where (utility, island, system_title, setup, rotation) = ($1, $2, $3, $4, $5) and ended_ms is null`,
    [...placeOf(write.place), write.rotation, write.begunAt, write.endedAt ?? null, write.outcome ?? null],
  );
  if (rowCount !== 1) throw new CustodyError("custody-write-conflict", "a rotation that is over was to go on");
}

// A takeover that failed, or goes on, comes first: only where the newest journal is closed and nothing is open.
const FITS = `m.origin = 'shipped' and m.standing = 'in-service'
    and ($1::bytea[] = '{}' or m.system_title = any($1))
    and exists (select from takeovers t where (t.utility, t.island, t.system_title) = (m.utility, m.island, m.system_title)
      and t.setup = 0 and t.subject = 'keys' and t.closed_ms is not null)
    and not exists (select from takeovers t where (t.utility, t.island, t.system_title) = (m.utility, m.island,
      m.system_title) and t.setup = 0 and t.subject = 'keys' and t.closed_ms is null)
    and exists (select from meter_keys k where (k.utility, k.island, k.system_title) = (m.utility, m.island, m.system_title)
      and k.setup = 0 and k.purpose = 3 and k.proven_ms is not null)
    and not exists (select from rotations r where (r.utility, r.island, r.system_title) = (m.utility, m.island,
      m.system_title) and r.setup = 0 and r.ended_ms is null)
    and ($2::bigint is null or exists (select from meter_keys k where (k.utility, k.island, k.system_title)
      = (m.utility, m.island, m.system_title) and k.setup = 0 and k.purpose <= 3 and k.state = 'active'
      and k.created_ms < $2))
    and ($3::bigint is null or exists (select from meter_keys k join send_counters c using (utility, island, system_title,
      setup) where (k.utility, k.island, k.system_title, k.setup) = (m.utility, m.island, m.system_title, 0)
      and k.purpose = 0 and k.state = 'active' and c.key_version = k.version
      and c.next - coalesce((select max(b.next) from send_counters b where (b.utility, b.island, b.system_title, b.setup)
        = (m.utility, m.island, m.system_title, 0) and b.key_version < k.version), 0) > $3))`;

// What can go wrong with a meter soonest goes first: keys that strangers may hold, then the oldest.
const PLAN = `
  with planned as (
  insert into rotations (utility, island, system_title, setup, rotation, cause, purposes, risk, planned_ms, planned_by)
  select utility, island, system_title, 0, newest + 1, $4, $5::smallint[], $6::integer + held + age, $7, $8
  from (
    select m.utility, m.island, m.system_title,
      coalesce((select max(rotation) from rotations r where (r.utility, r.island, r.system_title, r.setup)
        = (m.utility, m.island, m.system_title, 0)), 0) as newest,
      100 * (select count(*)::integer from meter_keys k where (k.utility, k.island, k.system_title)
        = (m.utility, m.island, m.system_title) and k.state = 'compromised') as held,
      (select least(99, ($7 - coalesce(min(k.created_ms), $7)) / 86400000 / 30)::integer from meter_keys k where (k.utility, k.island,
        k.system_title) = (m.utility, m.island, m.system_title) and k.setup = 0 and k.state = 'active') as age
    from meters m where ${FITS}
  ) fitting order by held + age desc, system_title limit $9
  on conflict do nothing returning utility, island, system_title, setup, cause, purposes, planned_ms
  ), marked as (
    update meter_keys k set state = 'compromised', changed_ms = p.planned_ms from planned p
    where p.cause = 'compromise' and (k.utility, k.island, k.system_title, k.setup)
      = (p.utility, p.island, p.system_title, p.setup) and k.purpose = any(p.purposes) and k.state = 'active'
  )
  select count(*)::integer as planned from planned`;

const DUE = `
  (select system_title, true as begun from rotations where ended_ms is null and begun_ms is not null
    order by begun_ms limit $1)
  union all
  (select system_title, false from rotations where ended_ms is null and begun_ms is null
    order by risk desc, planned_ms, system_title limit $2)`;

const FILTERS = {
  open: "ended_ms is null",
  failed: "outcome = 'failed'",
  all: "true",
} as const;

const COUNTS = `
  select
    (select count(*) from rotations where ended_ms is null and begun_ms is null)::integer as planned,
    (select count(*) from rotations where ended_ms is null and begun_ms is not null)::integer as under_way,
    (select count(*) from rotations where outcome = 'proven')::integer as proven,
    (select count(*) from rotations where outcome = 'failed')::integer as failed,
    (select count(distinct system_title) from meter_keys where state = 'active' and created_ms < $1)::integer as overdue,
    (select count(distinct system_title) from meter_keys where state = 'active' and purpose in (0, 2, 3)
      and proven_ms is null)::integer as unproven,
    (select count(distinct system_title) from meter_keys where state = 'compromised')::integer as compromised`;

const WHOLE = ["*", "*"] as const;

/** Rotations in PostgreSQL. */
export function rotationsIn(pool: Pool): RotationRecords {
  return {
    plan: async (plan) => {
      const { rows } = await pool.query<{ planned: number }>(PLAN, planValues(plan));
      return rows[0]?.planned ?? 0;
    },
    due: async (begun, waiting) => {
      const { rows } = await pool.query<{ system_title: Buffer; begun: boolean }>(DUE, [begun, waiting]);
      return rows.map((row) => ({ systemTitle: titleText(row.system_title), begun: row.begun }));
    },
    titles: async (filter, after, limit) => {
      const { rows } = await pool.query<{ system_title: Buffer }>(
        `select distinct system_title from rotations where ${FILTERS[filter]} and system_title > $1
         order by system_title limit $2`,
        [titleOctets(after ?? ""), limit],
      );
      return rows.map((row) => titleText(row.system_title));
    },
    counts: async (madeBefore) => {
      const { rows } = await pool.query<KeyLifeCounts & { under_way: number }>(COUNTS, [madeBefore]);
      const { under_way: underWay, ...counts } = rows[0] as KeyLifeCounts & { under_way: number };
      return { ...counts, underWay };
    },
    gone: async (before, limit) => {
      const { rows } = await pool.query<{
        utility: string;
        island: string;
        system_title: Buffer;
        setup: number;
        purpose: PurposeNumber;
        version: number;
      }>(
        `select utility, island, system_title, setup, purpose, version from meter_keys
         where state in ('deactivated', 'compromised') and changed_ms < $1 order by changed_ms limit $2`,
        [before, limit],
      );
      return rows.map(({ system_title: title, ...row }) => ({ ...row, systemTitle: titleText(title) }));
    },
    compromised: async (at, after, limit) => {
      const { rows } = await pool.query<{ system_title: Buffer; changed_ms: string }>(
        `select system_title, changed_ms from meter_keys
         where state = 'compromised' and changed_ms >= $1 and (changed_ms, system_title) > ($1, $2)
         order by changed_ms, system_title limit $3`,
        [at, titleOctets(after), limit],
      );
      return rows.map((row) => ({ systemTitle: titleText(row.system_title), at: Number(row.changed_ms) }));
    },
    policy: async () => {
      const { rows } = await pool.query<KeyPolicy & { countLimit: string }>(
        `select crypto_period_days as "cryptoPeriodDays", count_limit as "countLimit", per_hour as "perHour",
           retain_days as "retainDays" from key_policies where (utility, island) = ($1, $2)`,
        [...WHOLE],
      );
      const [row] = rows;
      return row && { ...row, countLimit: Number(row.countLimit) };
    },
    setPolicy: async ({ cryptoPeriodDays, countLimit, perHour, retainDays }) => {
      await pool.query(
        `insert into key_policies (utility, island, crypto_period_days, count_limit, per_hour, retain_days)
         values ($1, $2, $3, $4, $5, $6) on conflict (utility, island) do update set
         crypto_period_days = excluded.crypto_period_days, count_limit = excluded.count_limit,
         per_hour = excluded.per_hour, retain_days = excluded.retain_days`,
        [...WHOLE, cryptoPeriodDays, countLimit, perHour, retainDays],
      );
    },
  };
}

function planValues(plan: RotationPlan): unknown[] {
  return [
    plan.meters.map(titleOctets),
    plan.madeBefore ?? null,
    plan.countAbove ?? null,
    plan.cause,
    plan.purposes,
    plan.risk,
    plan.at,
    plan.plannedBy,
    plan.limit,
  ];
}

function titleText(title: Buffer): string {
  return title.toString("hex").toUpperCase();
}
