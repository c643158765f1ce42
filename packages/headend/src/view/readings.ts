import {
  INTERVAL_QUALITIES,
  PROTECTIONS,
  type ProfileView,
  type ProtectionGrade,
  type ReadingList,
  TRUST_STATES,
  type TrustStateName,
} from "@meterkeep/api";
import { atOneMoment } from "../database/moment.ts";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql, type SqlPool } from "../database/sql.ts";
import { isSettledFor, type Standings } from "../dispute/standing.ts";
import { standingsOf } from "../dispute/standings-of.ts";
import type { Meter } from "../inventory/meter.ts";
import { findMeterProfile, type MeterProfile, statusWords } from "../profile/meter-profile.ts";
import { heldIntervals, type QualifiedInterval } from "../reading/held-intervals.ts";
import { quantityWords } from "../reading/words.ts";
import { isDecisive } from "../trust/trust-at.ts";
import { optional, timeText } from "./time-text.ts";

/** A window over readings. `trusted` keeps what decisions may use. */
export interface Window {
  readonly from: Date | undefined;
  readonly to: Date | undefined;
  readonly trust: "trusted" | "all";
  readonly limit: number;
}

/**
 * A meter's registers, newest first; what the trust filter leaves out is counted. As they are at one moment: values stand as they do
 * by what was found of them and decided by then.
 */
export function registerReadings(
  pool: Pick<SqlPool, "connect">,
  scope: Scope,
  meter: Meter,
  window: Window,
): Promise<ReadingList> {
  return atOneMoment(pool, (sql) => registersNow(sql, scope, meter, window));
}

async function registersNow(sql: Sql, scope: Scope, meter: Meter, window: Window): Promise<ReadingList> {
  const [from, to] = [window.from?.getTime(), window.to?.getTime()];
  const standings = (await standingsOf(sql, scope, [meter.id], from, to)).get(meter.id);
  const unsettled = unsettledOf(standings);
  const values = [...scope.place, meter.id, window.from ?? null, window.to ?? null, ...unsettled];
  const found = await rows<RegisterRow>(sql, SELECT_REGISTERS, [...values, window.trust === "all", window.limit]);
  const counts = await firstRow<{ all: string; kept: string }>(sql, COUNT_REGISTERS, values);
  return {
    meter: meter.title,
    trust: window.trust,
    leftOut: window.trust === "all" ? 0 : Number(counts?.all ?? 0) - Number(counts?.kept ?? 0),
    readings: found.map((row) => {
      const standing = standings?.at(row.at.getTime(), "registers", row.evidence_id) ?? "undisputed";
      return {
        obis: row.obis,
        name: quantityWords(row.obis),
        value: row.number_value ?? row.text_value ?? "",
        ...optional("unit", row.unit),
        time: timeText(row.at),
        receivedAt: timeText(row.received_at),
        ...optional("status", row.status),
        standing,
        evidence: row.evidence,
        protection: row.protection,
        source: row.source,
        trustAtCapture: row.trust_at_capture,
        trustNow: row.trust_now,
        decisive: row.is_used,
      };
    }),
  };
}

/** A meter's load profile, oldest first, one row an interval and one value a channel, as it is at one moment. */
export function profileReadings(
  pool: Pick<SqlPool, "connect">,
  scope: Scope,
  meter: Meter,
  window: Window,
): Promise<ProfileView> {
  return atOneMoment(pool, (sql) => profileNow(sql, scope, meter, window));
}

async function profileNow(sql: Sql, scope: Scope, meter: Meter, window: Window): Promise<ProfileView> {
  const found = await heldIntervals(sql, scope, [meter.id], window.from?.getTime(), window.to?.getTime());
  const held = found.get(meter.id) ?? [];
  const now = await firstRow<{ state: TrustStateName }>(sql, SELECT_TRUST, [...scope.place, meter.id]);
  const trustNow = now?.state ?? "held";
  const decides = (one: QualifiedInterval): boolean =>
    isDecisive(one.trustAtCapture, trustNow, one.protection, one.standing);
  const all = byInstant(held);
  const kept = window.trust === "all" ? all : byInstant(held.filter(decides));
  const shown = [...kept.keys()].sort((one, other) => one - other).slice(-window.limit);
  const columns = await columnsOf(sql, scope, held);
  const evidence = await evidenceOf(
    sql,
    scope,
    shown.flatMap((at) => (kept.get(at) ?? []).map((one) => one.evidence)),
  );
  const profile = findMeterProfile(meter.profile);
  return {
    meter: meter.title,
    trust: window.trust,
    periodSeconds: profile?.loadProfile.periodSeconds ?? 900,
    leftOut: all.size - kept.size,
    columns: columns.map((column) => ({
      channel: String(column.channel_id),
      obis: column.obis,
      name: quantityWords(column.obis),
      ...optional("unit", column.unit === "" ? undefined : column.unit),
    })),
    rows: shown.map((at) => rowOf(at, kept.get(at) ?? [], { columns, evidence, profile, trustNow })),
  };
}

function byInstant(held: readonly QualifiedInterval[]): ReadonlyMap<number, readonly QualifiedInterval[]> {
  return Map.groupBy(held, ({ at }) => at);
}

/** One line of the profile. Where its channels differ in what they are worth, the line is worth the least of them. */
function rowOf(
  at: number,
  values: readonly QualifiedInterval[],
  { columns, evidence, profile, trustNow }: RowContext,
): ProfileView["rows"][number] {
  const worth = (one: QualifiedInterval): number =>
    TRUST_STATES.indexOf(one.trustAtCapture) - PROTECTIONS.indexOf(one.protection) * TRUST_STATES.length;
  const least = values.reduce((one, other) => (worth(other) < worth(one) ? other : one));
  const status = values.find((one) => one.status !== undefined)?.status;
  const from = evidence.get(least.evidence);
  return {
    time: timeText(at),
    values: columns.map(({ channel_id }) => values.find(({ channel }) => channel === channel_id)?.value ?? null),
    ...optional("status", status),
    statusWords: profile === undefined ? [] : [...statusWords(profile, status)],
    quality: INTERVAL_QUALITIES.findLast((quality) => values.some((one) => one.quality === quality)) ?? "actual",
    evidence: from?.hash ?? "",
    protection: least.protection,
    source: from?.source ?? "session",
    trustAtCapture: least.trustAtCapture,
    trustNow,
    decisive: values.every((one) => isDecisive(one.trustAtCapture, trustNow, one.protection, one.standing)),
  };
}

interface RowContext {
  readonly columns: readonly ColumnRow[];
  readonly evidence: ReadonlyMap<number, EvidenceOf>;
  readonly profile: MeterProfile | undefined;
  readonly trustNow: TrustStateName;
}

async function columnsOf(sql: Sql, scope: Scope, held: readonly QualifiedInterval[]): Promise<readonly ColumnRow[]> {
  const channels = [...new Set(held.map(({ channel }) => channel))];
  return rows<ColumnRow>(sql, SELECT_COLUMNS, [...scope.place, channels]);
}

interface EvidenceOf {
  readonly hash: string;
  readonly source: "session" | "push";
}

async function evidenceOf(sql: Sql, scope: Scope, ids: readonly number[]): Promise<ReadonlyMap<number, EvidenceOf>> {
  const found = await rows<EvidenceOf & { readonly evidence_id: string }>(sql, SELECT_EVIDENCE, [
    ...scope.place,
    [...new Set(ids)],
  ]);
  return new Map(found.map(({ evidence_id, hash, source }) => [Number(evidence_id), { hash, source }]));
}

/** What nobody has settled of a meter's registers: the stretches by the evidence that they are about, of few kinds. */
function unsettledOf(standings: Standings | undefined): readonly (readonly (string | number)[])[] {
  const open = (standings?.stretches("registers") ?? []).filter(({ standing }) => !isSettledFor(standing));
  const kinds = [...Map.groupBy(open, ({ above, upTo }) => `${above} ${upTo}`).values()];
  return [
    kinds.map((all) => `{${all.map((one) => `(${timeText(one.from)},${timeText(one.to)}]`).join()}}`),
    kinds.map(([one]) => one?.above ?? 0),
    kinds.map(([one]) => one?.upTo ?? 0),
  ];
}

interface RegisterRow {
  readonly obis: string;
  readonly at: Date;
  readonly received_at: Date;
  readonly number_value: number | null;
  readonly text_value: string | null;
  readonly unit: string | null;
  readonly status: string | null;
  readonly source: "session" | "push";
  readonly evidence: string;
  readonly evidence_id: number;
  readonly protection: ProtectionGrade;
  readonly trust_at_capture: TrustStateName;
  readonly trust_now: TrustStateName;
  readonly is_used: boolean;
}
interface ColumnRow {
  readonly channel_id: number;
  readonly obis: string;
  readonly unit: string;
}
const IN_WINDOW = `where r.utility_id = $1 and r.island_id = $2 and r.meter_id = $3
  and ($4::timestamptz is null or r.at >= $4) and ($5::timestamptz is null or r.at <= $5)`;
const WITH_TRUST = `join trust t on (t.utility_id, t.island_id, t.meter_id) = (r.utility_id, r.island_id, r.meter_id)`;

/**
 * A meter's registers, `may_be_used` as `isDecisive` has it: $6 to $8 are `unsettledOf` the meter, and a value is sought in it, since it
 * may be thousands of stretches. Of several values of one moment decisions use the first that they may: they are put in order once,
 * since a look for others at each costs a year's square.
 */
const JUDGED_REGISTERS = `
  with judged as (
    select r.*, t.state as trust_now,
      r.trust_at_capture = 'trusted' and t.state = 'trusted' and r.protection = 'authenticated'
        and not exists (select from unnest($6::tstzmultirange[], $7::float8[], $8::float8[]) as u(unsettled, above, up_to)
          where r.evidence_id > u.above and r.evidence_id <= u.up_to and r.at <@ u.unsettled) as may_be_used
    from register_readings r ${WITH_TRUST} ${IN_WINDOW}
  ), registers as (
    select *, may_be_used and evidence_id = min(evidence_id) filter (where may_be_used) over (partition by obis, at, unit)
      as is_used
    from judged
  )`;

const SELECT_REGISTERS = `${JUDGED_REGISTERS}, page as (
    select * from registers where $9::boolean or is_used order by at desc, obis, evidence_id desc limit $10
  )
  select p.obis, p.at, p.received_at, p.number_value, p.text_value, p.unit, p.status, p.source,
    encode(e.hash, 'hex') as evidence, p.evidence_id::float8 as evidence_id, p.protection, p.trust_at_capture,
    p.trust_now, p.is_used
  from page p join evidence e on (e.utility_id, e.island_id, e.evidence_id) = (p.utility_id, p.island_id, p.evidence_id)
  order by p.at desc, p.obis, p.evidence_id desc`;

const COUNT_REGISTERS = `${JUDGED_REGISTERS}
  select count(*) as all, count(*) filter (where is_used) as kept from registers`;

const SELECT_COLUMNS = `
  select channel_id, obis, unit from channels
  where utility_id = $1 and island_id = $2 and channel_id = any($3::smallint[]) order by channel_id`;

const SELECT_EVIDENCE = `
  select evidence_id, encode(hash, 'hex') as hash, case when session_id is null then 'push' else 'session' end as source
  from evidence where utility_id = $1 and island_id = $2 and evidence_id = any($3::bigint[])`;

const SELECT_TRUST = "select state from trust where utility_id = $1 and island_id = $2 and meter_id = $3";
