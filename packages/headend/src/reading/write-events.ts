import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import { trustAt } from "../trust/trust-at.ts";
import type { ChannelTable } from "./channels.ts";
import type { IdOf, MeterRead } from "./meter-read.ts";

/** Writes events of meters' logs. The same event again changes nothing. */
export async function writeEvents(sql: Sql, scope: Scope, reads: readonly MeterRead[], idOf: IdOf): Promise<void> {
  const events = reads.flatMap((entry) => (entry.read?.events ?? []).map((record) => ({ entry, record })));
  if (events.length === 0) return;
  await sql.query(INSERT_EVENTS, [
    ...scope.place,
    events.map(({ entry }) => entry.meter),
    events.map(({ record }) => record.log),
    events.map(({ record }) => new Date(record.at)),
    events.map(({ record }) => record.code),
    events.map(({ record }) => record.category),
    events.map(({ record }) => record.severity),
    events.map(({ record }) => new Date(record.evidence.receivedAt)),
    events.map(({ record }) => idOf(record.evidence)),
    events.map(({ record }) => record.evidence.protection),
    events.map(({ entry, record }) => trustAt(entry.trustHistory, record.at)),
  ]);
}

/** Writes rows of power quality, whose channels are prepared. What is held stays. */
export async function writeQuality(
  sql: Sql,
  scope: Scope,
  channels: ChannelTable,
  reads: readonly MeterRead[],
  idOf: IdOf,
): Promise<void> {
  const all = reads.flatMap((entry) => (entry.read?.quality ?? []).map((record) => ({ entry, record })));
  if (all.length === 0) return;
  // An array of arrays of different lengths is none in SQL: they go as JSON.
  const rows = all.map(({ entry, record }) => ({
    meter_id: entry.meter,
    at: new Date(record.at),
    channels: record.values.map(({ obis, unit }) => channels.number(obis, unit)),
    readings: record.values.map(({ value }) => value),
    received_at: new Date(record.evidence.receivedAt),
    evidence_id: idOf(record.evidence),
    protection: record.evidence.protection,
    trust_at_capture: trustAt(entry.trustHistory, record.at),
  }));
  await sql.query(INSERT_QUALITY, [...scope.place, JSON.stringify(rows)]);
}

const INSERT_EVENTS = `
  insert into meter_events (utility_id, island_id, meter_id, log, at, code, category, severity, received_at, evidence_id,
    protection, trust_at_capture)
  select $1, $2, e.* from unnest($3::integer[], $4::text[], $5::timestamptz[], $6::bigint[], $7::text[], $8::smallint[],
    $9::timestamptz[], $10::bigint[], $11::protection_grade[], $12::trust_state[]) as e
  on conflict do nothing`;

const INSERT_QUALITY = `
  insert into quality_readings (utility_id, island_id, meter_id, at, channels, readings, received_at, evidence_id, protection,
    trust_at_capture)
  select $1, $2, q.* from jsonb_to_recordset($3) as q(meter_id integer, at timestamptz, channels smallint[],
    readings float8[], received_at timestamptz, evidence_id bigint, protection protection_grade, trust_at_capture trust_state)
  on conflict do nothing`;
