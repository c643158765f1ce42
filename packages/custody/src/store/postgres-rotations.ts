import type { Pool, PoolClient } from "pg";
import { CustodyError } from "../errors.ts";
import type { KeyPolicy } from "../keys/key-policy.ts";
import { closedIn } from "./closed-changes.ts";
import { titleOctets } from "./postgres-writes.ts";
import { FIRST_SETUP, type PurposeNumber, type SetupPlace } from "./records.ts";
import { ALL_PURPOSES, CAUSE_RISK, WITHOUT_MASTER } from "./rotation-cause.ts";
import type { DueRotation, KeyLifeCounts, RotationPlan, RotationRecords, Write } from "./store.ts";

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
const isFree = (setup: string) => `m.origin = 'shipped' and m.standing = 'in-service'
    and exists (select from takeovers t where (t.utility, t.island, t.system_title) = (m.utility, m.island, m.system_title)
      and t.setup = ${setup} and t.subject = 'keys' and t.closed_ms is not null)
    and not exists (select from takeovers t where (t.utility, t.island, t.system_title) = (m.utility, m.island,
      m.system_title) and t.setup = ${setup} and t.subject = 'keys' and t.closed_ms is null)
    and exists (select from meter_keys k where (k.utility, k.island, k.system_title) = (m.utility, m.island, m.system_title)
      and k.setup = ${setup} and k.purpose = 3 and k.proven_ms is not null)
    and not exists (select from rotations r where (r.utility, r.island, r.system_title) = (m.utility, m.island,
      m.system_title) and r.setup = ${setup} and r.ended_ms is null)`;

const fits = (setup: string) => `${isFree(setup)}
    and ($1::bytea[] = '{}' or m.system_title = any($1))
    and ($2::bigint is null or exists (select from meter_keys k where (k.utility, k.island, k.system_title)
      = (m.utility, m.island, m.system_title) and k.setup = ${setup} and k.purpose <= 3 and k.state = 'active'
      and k.created_ms < $2))
    and ($3::bigint is null or exists (select from meter_keys k join send_counters c using (utility, island, system_title,
      setup) where (k.utility, k.island, k.system_title, k.setup) = (m.utility, m.island, m.system_title, ${setup})
      and k.purpose = 0 and k.state = 'active' and c.key_version = k.version
      and c.next - coalesce((select max(b.next) from send_counters b where (b.utility, b.island, b.system_title, b.setup)
        = (m.utility, m.island, m.system_title, ${setup}) and b.key_version < k.version), 0) > $3))`;

// What can go wrong with a meter soonest goes first: keys that strangers may hold, then the oldest.
const newest = (setup: string) => `coalesce((select max(rotation) from rotations r
  where (r.utility, r.island, r.system_title, r.setup) = (m.utility, m.island, m.system_title, ${setup})), 0)`;
const HELD = `100 * (select count(*)::integer from meter_keys k where (k.utility, k.island, k.system_title)
  = (m.utility, m.island, m.system_title) and k.state = 'compromised')`;
const ageAt = (
  at: string,
  setup: string,
) => `(select least(99, (${at} - coalesce(min(k.created_ms), ${at})) / 86400000 / 30)::integer
  from meter_keys k where (k.utility, k.island, k.system_title) = (m.utility, m.island, m.system_title) and k.setup = ${setup}
  and k.state = 'active')`;

const planOf = (setup: string, from: string) => `
  insert into rotations (utility, island, system_title, setup, rotation, cause, purposes, risk, planned_ms, planned_by)
  select m.utility, m.island, m.system_title, m.of_setup, ${newest("m.of_setup")} + 1, $4, $5::smallint[],
    $6::integer + m.held + m.age, $7, $8
  from (
    select * from (
      select m.utility, m.island, m.system_title, ${setup} as of_setup, ${HELD} as held,
        case when $10::boolean then 0 else ${ageAt("$7", setup)} end as age
      from ${from} where ${fits(setup)}
    ) fitting order by held + age desc, system_title limit $9
  ) m
  on conflict do nothing`;

const PLAN_FIRST = planOf("0", "(select * from meters where coalesce($11::smallint, 0) = 0) m");
// Few meters have another, and of those an index tells.
const PLAN_FURTHER = planOf(
  "s.setup",
  `(select distinct utility, island, system_title, setup from takeovers where setup <> 0 and subject = 'keys'
      and ($11::smallint is null or setup = $11) and ($1::bytea[] = '{}' or system_title = any($1))) s
    join meters m using (utility, island, system_title)`,
);
// A meter counts once, whichever of its setups were planned for or raised.
const PLAN = `
  with first as (${PLAN_FIRST} returning system_title), further as (${PLAN_FURTHER} returning system_title)
  select count(*)::integer as meters from (select system_title from first union select system_title from further
    union select unnest($12::bytea[])) planned`;

/*
 * Policies look every few minutes, mostly for nobody: an index finds who may be due, and a plan asks the rest of those alone
 * (migrations/scale/0003-what-is-due.sql). In the order of the index, since the planner takes keys in use for as old as those that
 * have gone, and would rather look at all of them.
 */
const AGED = `select system_title from meter_keys where state = 'active' and purpose <= 3 and created_ms < $1
  order by created_ms limit $2`;
// No more were used under the key in use than were used at all.
const USED = "select system_title from send_counters where next > $1 order by next desc limit $2";
/** Rows that are found at most before a plan looks at every meter. */
const MOST_FOUND = 100_000;

/** The meters that a plan can be for: none, those named or found, or all where they are too many to name. */
async function candidatesOf(
  pool: Pick<Pool, "query">,
  { meters, madeBefore, countAbove }: RotationPlan,
): Promise<Buffer[] | "none" | "all"> {
  const [find, limit] = countAbove === undefined ? [AGED, madeBefore] : [USED, countAbove];
  if (meters.length > 0) return meters.map(titleOctets);
  if (limit === undefined) return "all";
  const { rows } = await pool.query<{ system_title: Buffer }>(find, [limit, MOST_FOUND]);
  if (rows.length === 0) return "none";
  if (rows.length === MOST_FOUND) return "all";
  return [...new Map(rows.map((row) => [titleText(row.system_title), row.system_title])).values()];
}

// What waits for a lesser cause does not wait any longer than what is planned now.
const RAISE = `
  update rotations r set cause = $2, planned_ms = $5, planned_by = $6, risk = greatest(r.risk, $4::integer + ${HELD}),
    purposes = array(select distinct unnest(r.purposes || $3::smallint[]) order by 1)
  from meters m where (r.utility, r.island, r.system_title) = (m.utility, m.island, m.system_title)
    and ($1::bytea[] = '{}' or m.system_title = any($1)) and m.standing = 'in-service'
    and ($7::smallint is null or r.setup = $7) and r.ended_ms is null and r.begun_ms is null
  returning r.system_title`;

/*
 * Keys that became compromised while another change of their setup was open: those that nothing active follows, and that no
 * rotation was to replace which was planned since. A master has carried the others, so that they go with it.
 */
const SUCCEED = `
  insert into rotations (utility, island, system_title, setup, rotation, cause, purposes, risk, planned_ms, planned_by)
  select m.utility, m.island, m.system_title, s.setup, ${newest("s.setup")} + 1, 'compromise',
    case when lost.master then '{${ALL_PURPOSES.join(",")}}'::smallint[] else '{${WITHOUT_MASTER.join(",")}}'::smallint[] end,
    $4::integer + ${HELD} + ${ageAt("$3::bigint", "s.setup")}, $3, 'custodian'
  from (select distinct * from unnest($1::bytea[], $2::smallint[]) as closed (title, setup)) s
  join meters m on m.system_title = s.title
  cross join lateral (
    select count(*) as keys, bool_or(k.purpose = 3) as master from meter_keys k
    where (k.utility, k.island, k.system_title, k.setup) = (m.utility, m.island, m.system_title, s.setup)
      and k.purpose <= 3 and k.state = 'compromised'
      and not exists (select from meter_keys later where (later.utility, later.island, later.system_title, later.setup,
        later.purpose) = (k.utility, k.island, k.system_title, k.setup, k.purpose) and later.version > k.version
        and later.state = 'active')
      and not exists (select from rotations r where (r.utility, r.island, r.system_title, r.setup)
        = (m.utility, m.island, m.system_title, s.setup) and r.planned_ms >= coalesce(k.changed_ms, 0)
        and k.purpose = any(r.purposes))
  ) lost
  where lost.keys > 0 and ${isFree("s.setup")}
  on conflict do nothing`;

/** Plans what a change of keys that is over has left: successors of keys that became compromised meanwhile. */
export async function planSuccessors(client: PoolClient, writes: readonly Write[]): Promise<void> {
  const closed = closedIn(writes);
  if (closed.length === 0) return;
  const at = Math.max(...closed.map((one) => one.at));
  await client.query(SUCCEED, [
    closed.map(({ systemTitle }) => titleOctets(systemTitle)),
    closed.map(({ setup }) => setup),
    at,
    CAUSE_RISK.compromise,
  ]);
}

const DUE = `
  (select system_title, true as begun, null::bigint as planned_ms from rotations
    where ended_ms is null and begun_ms is not null and system_title <> all($3::bytea[]) order by begun_ms limit $1)
  union all
  (select t.system_title, true, null from takeovers t join meters m using (utility, island, system_title)
    where t.setup <> 0 and t.subject = 'keys' and t.closed_ms is null and m.standing = 'in-service'
      and t.system_title <> all($3)
      and not exists (select from takeovers f where (f.utility, f.island, f.system_title)
        = (t.utility, t.island, t.system_title) and f.setup = 0 and f.subject = 'keys' and f.closed_ms is null)
    order by t.opened_ms limit $1)
  union all
  (select system_title, false, planned_ms from rotations where ended_ms is null and begun_ms is null
    order by risk desc, planned_ms, system_title limit $2)`;

const UNBEGUN = `
  select m.system_title, exists (select from meter_keys k where (k.utility, k.island, k.system_title)
      = (m.utility, m.island, m.system_title) and k.setup <> 0 and k.purpose = 3
    and not exists (select from takeovers t where (t.utility, t.island, t.system_title, t.setup)
      = (k.utility, k.island, k.system_title, k.setup) and t.subject = 'keys')) as unbegun
  from (select utility, island, system_title from meters where standing = 'in-service' and system_title > $1
    order by system_title limit $2) m order by m.system_title`;

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
    (select count(distinct system_title) from (
      select system_title from meter_keys where state = 'active' and purpose <= 3 and created_ms < $1
      union all
      select system_title from meter_keys where state = 'active' and purpose > 3 and created_ms < $1) old)::integer as overdue,
    (select count(distinct system_title) from meter_keys where state = 'active' and purpose in (0, 2, 3)
      and proven_ms is null)::integer as unproven,
    (select count(distinct system_title) from meter_keys where state = 'compromised')::integer as compromised`;

const WHOLE = ["*", "*"] as const;

/** Rotations in PostgreSQL. */
export function rotationsIn(pool: Pool): RotationRecords {
  return {
    plan: async (plan) => {
      const { meters, setups = FIRST_SETUP, cause, purposes, risk, at, plannedBy } = plan;
      const one = setups === "each" ? null : setups;
      const raised =
        cause === "compromise"
          ? await pool.query<{ system_title: Buffer }>(RAISE, [
              ...[meters.map(titleOctets), cause, purposes, risk],
              ...[at, plannedBy, one],
            ])
          : undefined;
      const titles = (raised?.rows ?? []).map((row) => row.system_title);
      const candidates = await candidatesOf(pool, plan);
      if (candidates === "none") return new Set(titles.map(titleText)).size;
      const within = candidates === "all" ? [] : candidates;
      const { rows } = await pool.query<{ meters: number }>(PLAN, [within, ...conditionsOf(plan), one, titles]);
      return rows[0]?.meters ?? 0;
    },
    due: async (begun, waiting, resting) => {
      const { rows } = await pool.query<{ system_title: Buffer; begun: boolean; planned_ms: string | null }>(DUE, [
        begun,
        waiting,
        resting.map(titleOctets),
      ]);
      // Several setups of one meter may be due.
      const due = new Map<string, DueRotation>();
      for (const row of rows) {
        const systemTitle = titleText(row.system_title);
        const before = due.get(systemTitle);
        const times = [row.planned_ms ?? [], before?.plannedAt ?? []].flat().map(Number);
        due.set(systemTitle, {
          systemTitle,
          begun: row.begun || before?.begun === true,
          ...(times.length > 0 && { plannedAt: Math.max(...times) }),
        });
      }
      return [...due.values()];
    },
    unbegun: async (after, limit) => {
      const { rows } = await pool.query<{ system_title: Buffer; unbegun: boolean }>(UNBEGUN, [
        titleOctets(after ?? ""),
        limit,
      ]);
      const titles = rows.flatMap((row) => (row.unbegun ? titleText(row.system_title) : []));
      const last = rows.length < limit ? undefined : rows.at(-1);
      return { titles, last: last && titleText(last.system_title) };
    },
    titles: async (filter, after, limit) => {
      const { rows } = await pool.query<{ system_title: Buffer }>(
        `select distinct system_title from rotations where ${FILTERS[filter]} and system_title > $1
         order by system_title limit $2`,
        [titleOctets(after ?? ""), limit],
      );
      return rows.map((row) => titleText(row.system_title));
    },
    plannedSince: async (plannedBy, cause, at) => {
      const { rows } = await pool.query<{ system_title: Buffer; planned_ms: string }>(
        `select system_title, planned_ms from rotations where planned_by = $1 and cause = $2 and planned_ms > $3
         order by planned_ms, system_title`,
        [plannedBy, cause, at],
      );
      return rows.map((row) => ({ systemTitle: titleText(row.system_title), at: Number(row.planned_ms) }));
    },
    counts: async (madeBefore) => {
      const { rows } = await pool.query<KeyLifeCounts & { under_way: number }>(COUNTS, [madeBefore]);
      const { under_way: underWay, ...counts } = rows[0] as KeyLifeCounts & { under_way: number };
      return { ...counts, underWay };
    },
    gone: async (before, limit, after) => {
      const { rows } = await pool.query<{
        utility: string;
        island: string;
        system_title: Buffer;
        setup: number;
        purpose: PurposeNumber;
        version: number;
        changed_ms: string;
      }>(
        `select utility, island, system_title, setup, purpose, version, changed_ms from meter_keys
         where state in ('deactivated', 'compromised') and changed_ms < $1 and changed_ms >= $2
           and (changed_ms, system_title, setup, purpose, version) > ($2, $3, $4::smallint, $5::smallint, $6)
         order by changed_ms, system_title, setup, purpose, version limit $7`,
        [
          before,
          after?.goneAt ?? 0,
          titleOctets(after?.systemTitle ?? ""),
          after?.setup ?? 0,
          after?.purpose ?? 0,
          after?.version ?? 0,
          limit,
        ],
      );
      return rows.map(({ system_title: title, changed_ms: goneAt, ...row }) => ({
        ...row,
        systemTitle: titleText(title),
        goneAt: Number(goneAt),
      }));
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

function conditionsOf(plan: RotationPlan): unknown[] {
  return [
    plan.madeBefore ?? null,
    plan.countAbove ?? null,
    plan.cause,
    plan.purposes,
    plan.risk,
    plan.at,
    plan.plannedBy,
    plan.limit,
    plan.isAgeless ?? false,
  ];
}

function titleText(title: Buffer): string {
  return title.toString("hex").toUpperCase();
}
