import { METER_KINDS, type MeterKind } from "@meterkeep/api";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql, type SqlClient, type SqlPool } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { dayText } from "../reading/day/day-row.ts";
import { firstOpenDay } from "../reading/day/pack-days.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import { type DayChange, judgeCohorts } from "./cohort-rules.ts";
import { type GroupMember, loadDay } from "./day-facts.ts";
import type { PlausibilityFinding } from "./finding.ts";
import { NO_TRANSFORMER_HISTORY, type TransformerHistory } from "./history.ts";
import type { ChannelMeaning } from "./meter-day.ts";
import { judgeMeterDay, netTotal } from "./meter-rules.ts";
import { drawRereads } from "./rereads.ts";
import { judgeTransformerDay } from "./transformer-rules.ts";
import { disputeLowScores, writeFindings } from "./write-findings.ts";

/** Meters a transaction judges; a transformer's stay together. */
const METERS_AT_ONCE = 500;
/** Days that are made up for when nobody judged for a while. */
const MOST_DAYS = 3;
/** Who counts nearly nothing changes by any factor. */
const LEAST_WH = 500;

export interface JudgePorts {
  readonly pool: SqlPool;
  readonly scope: Scope;
  /** Milliseconds since 1970 UTC on our clock. */
  now(): number;
  /** The same as the sources of that kind have it. */
  sourceNow(kind: MeterKind): number;
  /** Milliseconds of computing of this process so far. */
  cpu(): number;
  /** From 0 to 1: whom P-14 draws. */
  random(): number;
  /** What was found, when it is written. */
  onFindings(findings: readonly PlausibilityFinding[]): void;
}

/**
 * Judges the days that are closed (ADR 0048), each once, after they are packed: a transformer's meters stand in memory together,
 * and no session waits for it. What a crash breaks off is gone on with: a meter is judged and remembered in one transaction.
 *
 * @returns how many meters' days were judged
 */
export async function judgeDays(ports: JudgePorts, signal?: AbortSignal): Promise<number> {
  let judged = 0;
  for (const kind of METER_KINDS) {
    const newest = firstOpenDay(ports.sourceNow(kind)) - DAY_MILLISECONDS;
    const last = await firstRow<{ day: number | null }>(ports.pool, SELECT_LAST, [...ports.scope.place, kind]);
    const from =
      last?.day == null ? newest : Math.max(last.day + DAY_MILLISECONDS, newest - (MOST_DAYS - 1) * DAY_MILLISECONDS);
    for (let day = from; day <= newest && signal?.aborted !== true; day += DAY_MILLISECONDS)
      judged += await judgeDay(ports, kind, day, signal);
  }
  return judged;
}

async function judgeDay(
  ports: JudgePorts,
  kind: MeterKind,
  day: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { pool, scope } = ports;
  const begun = ports.cpu();
  const groups = await rows<GroupRow>(pool, SELECT_GROUPS, [...scope.place, kind]);
  if (groups.length === 0) return 0;
  const channels = await channelsOf(pool, scope);
  const changes: DayChange[] = [];
  let [meters, findings] = [0, 0];
  for (const group of inPortions(groups)) {
    if (signal?.aborted === true) return meters;
    const judged = await inTransaction(pool, (sql) => judgeGroup(sql, ports, group, day, channels, changes));
    meters += judged.meters;
    findings += judged.findings.length;
    if (judged.findings.length > 0) ports.onFindings(judged.findings);
  }
  const drifts = await writeFindings(pool, scope, judgeCohorts(day, changes), ports.now());
  if (drifts.length > 0) ports.onFindings(drifts);
  const cost = Math.round(ports.cpu() - begun);
  const judgedAt = new Date(ports.now());
  await inTransaction(pool, async (sql) => {
    await sql.query(INSERT_DAY, [...scope.place, kind, dayText(day), judgedAt, meters, findings + drifts.length, cost]);
    // A day that is judged has had its draw: a draw that fails is done again with the day, of whose meters none is judged twice.
    await drawRereads(sql, scope, kind, day, ports.now(), ports.random);
  });
  return meters;
}

/** Judges some transformers whole, or some meters of none. */
async function judgeGroup(
  sql: SqlClient,
  { scope, now }: JudgePorts,
  meters: readonly MeterId[],
  day: number,
  channels: ReadonlyMap<number, ChannelMeaning>,
  changes: DayChange[],
): Promise<{ readonly meters: number; readonly findings: readonly PlausibilityFinding[] }> {
  // What a crash takes is judged again.
  await sql.query("set local synchronous_commit = off");
  const loaded = await loadDay(sql, scope, meters, day, channels);
  const findings: PlausibilityFinding[] = [];
  const members = loaded.map((member): GroupMember => {
    const judged = judgeMeterDay(member.day, member.facts, member.history);
    findings.push(...judged.findings);
    const change = changeOf(member, day);
    if (change !== undefined) changes.push(change);
    return { ...member, history: judged.history };
  });
  const remembered: HistoryEntry[] = [];
  const byTransformer = Map.groupBy(members, ({ transformer }) => transformer);
  const known = await transformerHistories(
    sql,
    scope,
    [...byTransformer.keys()].filter((name) => name !== undefined),
  );
  for (const [name, all] of byTransformer) {
    const homes = all.filter(({ facts }) => facts.role === "home");
    const [own] = all.filter(({ facts }) => facts.role === "transformer");
    if (name === undefined || homes.length === 0) {
      remembered.push(...all.map(({ facts, history }) => entryOf(facts.meter, history)));
      continue;
    }
    const judged = judgeTransformerDay(name, homes, own, known.get(name) ?? NO_TRANSFORMER_HISTORY);
    findings.push(...judged.findings);
    remembered.push(
      ...homes.map(({ facts }, n) => entryOf(facts.meter, judged.histories[n] as GroupMember["history"])),
    );
    remembered.push(
      ...all.filter(({ facts }) => facts.role !== "home").map(({ facts, history }) => entryOf(facts.meter, history)),
    );
    if (judged.transformer.day === day)
      remembered.push({ subject_kind: "transformer", subject: name, state: judged.transformer });
  }
  const added = await writeFindings(sql, scope, findings, now());
  if (remembered.length > 0) await sql.query(PUT_HISTORY, [...scope.place, dayText(day), JSON.stringify(remembered)]);
  // A score is low until its findings have faded, whatever was found of this day.
  const everybody = loaded.map(({ facts }) => facts.meter);
  await disputeLowScores(sql, scope, everybody, { from: day, to: day + DAY_MILLISECONDS }, now());
  return { meters: loaded.length, findings: added };
}

interface HistoryEntry {
  readonly subject_kind: "meter" | "transformer";
  readonly subject: string;
  readonly state: GroupMember["history"] | TransformerHistory;
}

function entryOf(meter: MeterId, state: GroupMember["history"]): HistoryEntry {
  return { subject_kind: "meter", subject: String(meter), state };
}

/** How the day compares with the one before, where both are held. */
function changeOf({ day, history, cohorts }: GroupMember, at: number): DayChange | undefined {
  const [today, before] = [netTotal(day), history.totals.find((one) => one.day === at - DAY_MILLISECONDS)?.wattHours];
  if (today === undefined || before === undefined || before < LEAST_WH || today < 0) return undefined;
  return { ratio: today / before, cohorts };
}

/** Groups put together up to so many meters; one that is larger, as all meters of no transformer, is dealt out. */
function inPortions(groups: readonly GroupRow[]): readonly (readonly MeterId[])[] {
  const portions: MeterId[][] = [];
  let last: MeterId[] | undefined;
  for (const { transformer_id, meters } of groups) {
    const parts = transformer_id === null ? dealt(meters) : [meters];
    for (const part of parts) {
      if (last === undefined || last.length + part.length > METERS_AT_ONCE) {
        last = [];
        portions.push(last);
      }
      for (const meter of part) last.push(meter as MeterId);
    }
  }
  return portions;
}

function dealt(meters: readonly number[]): readonly (readonly number[])[] {
  return Array.from({ length: Math.ceil(meters.length / METERS_AT_ONCE) }, (_, n) =>
    meters.slice(n * METERS_AT_ONCE, (n + 1) * METERS_AT_ONCE),
  );
}

async function transformerHistories(
  sql: Sql,
  scope: Scope,
  names: readonly string[],
): Promise<ReadonlyMap<string, TransformerHistory>> {
  const found = await rows<{ subject: string; state: TransformerHistory }>(sql, SELECT_TRANSFORMERS, [
    ...scope.place,
    names,
  ]);
  return new Map(found.map(({ subject, state }) => [subject, state]));
}

async function channelsOf(sql: Sql, scope: Scope): Promise<ReadonlyMap<number, ChannelMeaning>> {
  const found = await rows<ChannelMeaning & { readonly channel_id: number }>(sql, SELECT_CHANNELS, [...scope.place]);
  return new Map(found.map(({ channel_id, obis, unit }) => [channel_id, { obis, unit }]));
}

interface GroupRow {
  readonly transformer_id: string | null;
  readonly meters: readonly number[];
}

const SELECT_LAST = `
  select extract(epoch from max(day))::float8 * 1000 as day from plausibility_days
  where utility_id = $1 and island_id = $2 and kind = $3`;

const SELECT_GROUPS = `
  select m.transformer_id, array_agg(m.meter_id order by m.meter_id) as meters
  from meters m join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  where m.utility_id = $1 and m.island_id = $2 and m.kind = $3 and m.role <> 'attached' and t.phase = 'done'
  group by m.transformer_id order by m.transformer_id`;

const SELECT_CHANNELS = "select channel_id, obis, unit from channels where utility_id = $1 and island_id = $2";

const SELECT_TRANSFORMERS = `
  select subject, state from plausibility_history
  where utility_id = $1 and island_id = $2 and subject_kind = 'transformer' and subject = any($3::text[])`;

const PUT_HISTORY = `
  insert into plausibility_history (utility_id, island_id, subject_kind, subject, day, state)
  select $1, $2, h.subject_kind, h.subject, $3::date, h.state
  from jsonb_to_recordset($4) as h(subject_kind text, subject text, state jsonb)
  on conflict (utility_id, island_id, subject_kind, subject) do update set day = excluded.day, state = excluded.state`;

const INSERT_DAY = `
  insert into plausibility_days (utility_id, island_id, kind, day, judged_at, meters, findings, cpu_milliseconds)
  values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`;
