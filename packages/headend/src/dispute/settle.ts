import { setTimeout as wait } from "node:timers/promises";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql, type SqlPool } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import type { Meter } from "../inventory/meter.ts";
import { heldIntervals } from "../reading/held-intervals.ts";
import {
  changesBetween,
  type DigestPart,
  digestPart,
  type StandingValue,
  settlementDigest,
} from "./settlement-digest.ts";
import type { Decision, Rows } from "./standing.ts";
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

/** What a settlement changes, meter by meter, in the order of their system titles. */
export interface Settled {
  readonly meters: readonly SettledMeter[];
  /** Of all that was there to be decided, whatever is decided about it. */
  readonly digest: string;
}

/** Writes settled meters to the ledger, before they count, with the digest of all. @returns the number of each one's entry, in their order. */
export type RecordSettled = (
  settled: readonly (SettledMeter & Pick<Seen, "findings" | "seenTo">)[],
  digest: string,
) => Promise<readonly number[]>;

/** How a settlement is carried out, after it was looked at. */
export interface SettleAct {
  /** What the dry run said that somebody has looked at. */
  readonly digest: string;
  readonly record: RecordSettled;
}

export interface SettlePorts {
  now(): number;
  /** Without it nothing is settled. */
  readonly act?: SettleAct;
  /** Waits until somebody else's values may be written; a moment where absent. */
  pause?(): Promise<unknown>;
}

/** For so long, at {@link MOST_TRIES} times, it waits for what is being written of the meters: that takes moments. */
const PAUSE_MILLISECONDS = 50;
const MOST_TRIES = 100;
/** SQLSTATE serialization_failure: something of a meter was written just now; lock_not_available: something is being written. */
const CONTENDED: ReadonlySet<unknown> = new Set(["40001", "55P03"]);

/** Somebody else writes what these meters said, or decides about it. */
class Contended extends Error {}

/**
 * Settles what is in dispute of meters in one go, or, without `act`, only says what that would change. Values stay as they
 * are: the decision stands beside them, with all that whoever decided could see. What is found or comes later opens them again.
 *
 * @throws HeadEndError `dispute-unknown` where nothing is in dispute that could be settled so; `dispute-changed` where it is not
 *   what the dry run of that digest has said.
 */
export async function settleDisputes(
  pool: SqlPool,
  scope: Scope,
  meters: readonly SettledMeter["meter"][],
  settlement: Settlement,
  { now, act, pause = () => wait(PAUSE_MILLISECONDS) }: SettlePorts,
): Promise<Settled> {
  // Nobody waits while many meters are looked at: what has changed until it is carried out is looked at again.
  const [looked, lines] = await inTransaction(pool, async (sql) => {
    await sql.query(AT_ONE_MOMENT);
    const of = await linesOf(sql, scope, SELECT_LINES, meters);
    return [await decideAll(sql, scope, inOrder(meters), settlement, now()), of] as const;
  });
  if (act === undefined) return toldOf(looked, digestOf(settlement, looked));
  requireSame(settlement, looked, act);
  for (let tries = 1; ; tries += 1)
    try {
      return await inTransaction(pool, async (sql) => {
        await sql.query(AT_ONE_MOMENT);
        const held = await hold(sql, scope, meters);
        const changed = looked.filter(({ meter: { id } }) => held.get(id) !== lines.get(id)).map(({ meter }) => meter);
        const again = await decideAll(sql, scope, changed, settlement, now());
        const all = looked.map((one) => again.find(({ meter }) => meter.id === one.meter.id) ?? one);
        const digest = requireSame(settlement, all, act);
        const settled = all.filter(({ disputes }) => disputes > 0);
        const entries = await act.record(settled, digest);
        for (const [at, one] of settled.entries())
          await insert(sql, scope, one.meter, settlement, one, now(), entries[at] as number);
        return toldOf(all, digest);
      });
    } catch (error) {
      if (!(error instanceof Contended)) throw error;
      if (tries >= MOST_TRIES) throw error.cause;
      await pause();
    }
}

/** What arrives meanwhile is in neither count. */
const AT_ONE_MOMENT = "set transaction isolation level repeatable read";

function toldOf(all: readonly Decided[], digest: string): Settled {
  const meters = all.map(({ meter, intervals, registers, powerQuality, disputes }) => ({
    ...{ meter, intervals, registers, powerQuality, disputes },
  }));
  return { meters, digest };
}

function digestOf(settlement: Settlement, all: readonly Decided[]): string {
  return settlementDigest(
    settlement,
    all.flatMap(({ part }) => part ?? []),
  );
}

/** @returns the digest of what there is, which is what somebody has looked at. */
function requireSame(settlement: Settlement, all: readonly Decided[], act: SettleAct): string {
  if (all.every(({ disputes }) => disputes === 0))
    throw new HeadEndError("dispute-unknown", "nothing that these meters said in that time is in dispute so");
  const digest = digestOf(settlement, all);
  if (act.digest !== digest) throw new HeadEndError("dispute-changed", changesBetween(act.digest, digest));
  return digest;
}

type Lines = ReadonlyMap<number, string>;

/**
 * Nothing of these meters is written or decided from here on until this transaction ends: whoever writes values locks the meter's
 * line before it looks for decisions (`tellLate`). It waits for nobody, since it would hold others up meanwhile.
 *
 * @returns which version of its line each has
 */
async function hold(sql: Sql, scope: Scope, meters: readonly SettledMeter["meter"][]): Promise<Lines> {
  try {
    return await linesOf(sql, scope, HOLD_LINES, meters);
  } catch (cause) {
    if (!CONTENDED.has((cause as { readonly code?: unknown }).code)) throw cause;
    throw new Contended("what these meters say is being written", { cause });
  }
}

async function linesOf(
  sql: Sql,
  scope: Scope,
  statement: string,
  meters: readonly SettledMeter["meter"][],
): Promise<Lines> {
  const found = await rows<{ meter_id: number; line: string }>(sql, statement, [
    ...scope.place,
    meters.map(({ id }) => id),
  ]);
  return new Map(found.map(({ meter_id, line }) => [meter_id, line]));
}

/** Decides about meters one after the other, and takes it back: what was written to count what it changes has no entry yet. */
async function decideAll(
  sql: Sql,
  scope: Scope,
  meters: readonly SettledMeter["meter"][],
  settlement: Settlement,
  now: number,
): Promise<readonly Decided[]> {
  await sql.query("savepoint before_decisions");
  const decided: Decided[] = [];
  for (const meter of meters) decided.push(await decide(sql, scope, meter, settlement, now));
  await sql.query("rollback to before_decisions");
  return decided;
}

/** In an order that is the same however they were asked for: the digest is of that. */
function inOrder(meters: readonly SettledMeter["meter"][]): readonly SettledMeter["meter"][] {
  return meters.toSorted((one, other) => (one.title < other.title ? -1 : 1));
}

/** What whoever decides could see. */
interface Seen {
  readonly findings: readonly number[];
  readonly contradictions: readonly number[];
  /** The number of the newest evidence that the values of the time rest on. */
  readonly seenTo: number;
}

interface Decided extends SettledMeter, Seen {
  /** Where something is in dispute. */
  readonly part?: DigestPart;
}

async function decide(
  sql: Sql,
  scope: Scope,
  meter: SettledMeter["meter"],
  settlement: Settlement,
  now: number,
): Promise<Decided> {
  const { from, to, rule } = settlement;
  const window = [...scope.place, meter.id, new Date(from), new Date(to)];
  const row = await firstRow<Omit<Seen, "seenTo">>(sql, SELECT_SEEN, [...window, rule ?? null]);
  const [findings, contradictions] = [row?.findings ?? [], row?.contradictions ?? []];
  const disputes = findings.length + contradictions.length;
  const nothing = { meter, intervals: 0, registers: 0, powerQuality: 0, disputes, findings, contradictions, seenTo: 0 };
  if (disputes === 0) return nothing;
  const before = await values(sql, scope, meter, settlement);
  const seenTo = before.reduce((newest, { evidence }) => Math.max(newest, evidence), 0);
  const seen = { findings, contradictions, seenTo };
  await insert(sql, scope, meter, settlement, seen, now, 0);
  const after = await values(sql, scope, meter, settlement);
  const changed = (of: Rows): number =>
    after.filter((value, at) => value.of === of && value.standing !== before[at]?.standing).length;
  return {
    ...nothing,
    part: digestPart(meter.title, findings, contradictions, before),
    seenTo,
    intervals: changed("intervals"),
    registers: changed("registers"),
    powerQuality: changed("quality"),
  };
}

/** All values of the time, in an order of their own. */
async function values(
  sql: Sql,
  scope: Scope,
  { id }: SettledMeter["meter"],
  { from, to }: Settlement,
): Promise<readonly StandingValue[]> {
  const held = (await heldIntervals(sql, scope, [id], from + 1, to)).get(id) ?? [];
  const standings = (await standingsOf(sql, scope, [id], from, to)).get(id);
  const window = [...scope.place, id, new Date(from), new Date(to)];
  const others = await rows<Omit<StandingValue, "standing">>(sql, SELECT_INSTANTS, window);
  return [
    ...held
      .toSorted((one, other) => one.channel - other.channel || one.at - other.at)
      .map(({ channel, at, evidence, standing }): StandingValue => {
        return { of: "intervals", name: String(channel), at, evidence, standing };
      }),
    ...others.map((one) => ({ ...one, standing: standings?.at(one.at, one.of, one.evidence) ?? "undisputed" })),
  ];
}

async function insert(
  sql: Sql,
  scope: Scope,
  { id }: SettledMeter["meter"],
  { verdict, from, to, by, reason }: Settlement,
  { findings, contradictions, seenTo }: Seen,
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
    seenTo,
    new Date(now),
    by,
    reason,
    sequence,
  ]);
}

const LINES = "from meter_latest where utility_id = $1 and island_id = $2 and meter_id = any($3::integer[])";

const SELECT_LINES = `select meter_id, xmin::text as line ${LINES}`;

// Each is changed to what it was: who has looked before this and decides behind it looks again as well.
const HOLD_LINES = `
  with held as (select meter_id, xmin::text as line ${LINES} for no key update nowait)
  update meter_latest l set contact_at = l.contact_at
  from held where l.utility_id = $1 and l.island_id = $2 and l.meter_id = held.meter_id
  returning l.meter_id, held.line`;

const SELECT_SEEN = `
  select
    (select coalesce(array_agg(finding_id::float8 order by finding_id), '{}') from plausibility_findings
     where utility_id = $1 and island_id = $2 and meter_id = $3 and disputes and to_at > $4 and from_at < $5
       and (stretches is null or stretches && tstzrange($4, $5, '(]'))
       and ($6::text is null or rule = $6)) as findings,
    (select coalesce(array_agg(distinct evidence_id::float8), '{}') from interval_corrections
     where utility_id = $1 and island_id = $2 and meter_id = $3 and at > $4 and at <= $5
       and $6::text is null) as contradictions`;

const SELECT_INSTANTS = `
  select 'registers' as of, obis as name, extract(epoch from at)::float8 * 1000 as at, evidence_id::float8 as evidence
  from register_readings where utility_id = $1 and island_id = $2 and meter_id = $3 and at > $4 and at <= $5
  union all
  select 'quality', '', extract(epoch from at)::float8 * 1000, evidence_id::float8 from quality_readings
  where utility_id = $1 and island_id = $2 and meter_id = $3 and at > $4 and at <= $5
  order by 1, 2, 3, 4`;

const INSERT_DECISION = `
  insert into dispute_decisions (utility_id, island_id, meter_id, from_at, to_at, verdict, findings, contradictions, seen_to,
    decided_at, by_whom, reason, sequence)
  values ($1, $2, $3, $4, $5, $6, $7::bigint[], $8::bigint[], $9, $10, $11, $12, $13)`;
