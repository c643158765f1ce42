import type { ProfileView, ProtectionGrade, ReadingList, TrustStateName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import type { Meter } from "../inventory/meter.ts";
import { findMeterProfile, statusWords } from "../profile/meter-profile.ts";
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

/** A meter's registers, newest first; what the trust filter leaves out is counted. */
export async function registerReadings(sql: Sql, scope: Scope, meter: Meter, window: Window): Promise<ReadingList> {
  const values = [...scope.place, meter.id, window.from ?? null, window.to ?? null];
  const found = await rows<RegisterRow>(
    sql,
    `${SELECT_REGISTERS} ${trustFilter(window, "r")} order by r.at desc, r.obis limit $6`,
    [...values, window.limit],
  );
  const counts = await firstRow<{ all: string; kept: string }>(sql, COUNT_REGISTERS, values);
  return {
    meter: meter.title,
    trust: window.trust,
    leftOut: window.trust === "all" ? 0 : Number(counts?.all ?? 0) - Number(counts?.kept ?? 0),
    readings: found.map((row) => ({
      obis: row.obis,
      name: quantityWords(row.obis),
      value: row.number_value ?? row.text_value ?? "",
      ...optional("unit", row.unit),
      time: timeText(row.at),
      receivedAt: timeText(row.received_at),
      ...optional("status", row.status),
      evidence: row.evidence,
      protection: row.protection,
      source: row.source,
      trustAtCapture: row.trust_at_capture,
      trustNow: row.trust_now,
      decisive: isDecisive(row.trust_at_capture, row.trust_now, row.protection),
    })),
  };
}

/** A meter's load profile, oldest first, one row an interval and one value a channel. */
export async function profileReadings(sql: Sql, scope: Scope, meter: Meter, window: Window): Promise<ProfileView> {
  const values = [...scope.place, meter.id, window.from ?? null, window.to ?? null];
  const columns = await rows<ColumnRow>(sql, SELECT_COLUMNS, [...scope.place, meter.id]);
  const found = await rows<IntervalRow>(sql, selectIntervals(window), [...values, window.limit]);
  const counts = await firstRow<{ all: string; kept: string }>(sql, COUNT_INTERVALS, values);
  const profile = findMeterProfile(meter.profile);
  return {
    meter: meter.title,
    trust: window.trust,
    periodSeconds: profile?.loadProfile.periodSeconds ?? 900,
    leftOut: window.trust === "all" ? 0 : Number(counts?.all ?? 0) - Number(counts?.kept ?? 0),
    columns: columns.map((column) => ({
      channel: String(column.channel_id),
      obis: column.obis,
      name: quantityWords(column.obis),
      ...optional("unit", column.unit === "" ? undefined : column.unit),
    })),
    rows: found.map((row) => ({
      time: timeText(row.at),
      values: columns.map((column) => row.by_channel[String(column.channel_id)] ?? null),
      ...optional("status", row.status),
      statusWords: profile === undefined ? [] : [...statusWords(profile, row.status ?? undefined)],
      evidence: row.evidence,
      protection: row.protection,
      source: row.source,
      trustAtCapture: row.trust_at_capture,
      trustNow: row.trust_now,
      decisive: isDecisive(row.trust_at_capture, row.trust_now, row.protection),
    })),
  };
}

function trustFilter(window: Window, alias: string): string {
  return window.trust === "all" ? "" : `and ${DECISIVE(alias)}`;
}

/** `isDecisive` in SQL. */
const DECISIVE = (alias: string): string =>
  `${alias}.trust_at_capture = 'trusted' and t.state = 'trusted' and ${alias}.protection = 'authenticated'`;

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
  readonly protection: ProtectionGrade;
  readonly trust_at_capture: TrustStateName;
  readonly trust_now: TrustStateName;
}
interface ColumnRow {
  readonly channel_id: number;
  readonly obis: string;
  readonly unit: string;
}
interface IntervalRow {
  readonly at: Date;
  readonly by_channel: Readonly<Record<string, number>>;
  readonly status: number | null;
  readonly evidence: string;
  readonly protection: ProtectionGrade;
  readonly source: "session" | "push";
  readonly trust_at_capture: TrustStateName;
  readonly trust_now: TrustStateName;
}

const IN_WINDOW = `where r.utility_id = $1 and r.island_id = $2 and r.meter_id = $3
  and ($4::timestamptz is null or r.at >= $4) and ($5::timestamptz is null or r.at <= $5)`;
const WITH_TRUST = `join trust t on (t.utility_id, t.island_id, t.meter_id) = (r.utility_id, r.island_id, r.meter_id)`;
const WITH_EVIDENCE = `join evidence e
  on (e.utility_id, e.island_id, e.evidence_id) = (r.utility_id, r.island_id, r.evidence_id)`;

const SELECT_REGISTERS = `
  select r.obis, r.at, r.received_at, r.number_value, r.text_value, r.unit, r.status, r.source,
    encode(e.hash, 'hex') as evidence, r.protection, r.trust_at_capture, t.state as trust_now
  from register_readings r ${WITH_TRUST} ${WITH_EVIDENCE} ${IN_WINDOW}`;

const COUNTS = `select count(*) as all,
  count(*) filter (where ${DECISIVE("r")}) as kept`;
const COUNT_REGISTERS = `${COUNTS} from register_readings r ${WITH_TRUST} ${IN_WINDOW}`;
const COUNT_INTERVALS = `select count(distinct r.at) as all,
  count(distinct r.at) filter (where ${DECISIVE("r")}) as kept
  from interval_readings r ${WITH_TRUST} ${IN_WINDOW}`;

const SELECT_COLUMNS = `
  select c.channel_id, c.obis, c.unit from channels c
  where c.utility_id = $1 and c.island_id = $2 and exists (
    select from interval_readings i where (i.utility_id, i.island_id, i.channel_id) = (c.utility_id, c.island_id, c.channel_id)
      and i.meter_id = $3)
  order by c.channel_id`;

function selectIntervals(window: Window): string {
  return `
  select * from (
    select r.at, jsonb_object_agg(r.channel_id, r.value) as by_channel, max(r.status) as status,
      min(encode(e.hash, 'hex')) as evidence, max(r.protection) as protection,
      case when min(e.session_id::text) is null then 'push' else 'session' end as source,
      min(r.trust_at_capture) as trust_at_capture, max(t.state) as trust_now
    from interval_readings r ${WITH_TRUST} ${WITH_EVIDENCE} ${IN_WINDOW} ${trustFilter(window, "r")}
    group by r.at order by r.at desc limit $6
  ) newest order by at`;
}
