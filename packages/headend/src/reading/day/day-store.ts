import { CopyRows, copyInto, isUniqueViolation } from "@meterkeep/postgres";
import type { Scope } from "../../database/scope.ts";
import { rows, type Sql, type SqlClient } from "../../database/sql.ts";
import type { MeterId } from "../../inventory/meter.ts";
import { type DayRow, dayText } from "./day-row.ts";

/** A packed day and whose it is. */
export interface MeterDayRow extends DayRow {
  readonly meter: MeterId;
}

/** Makes sure that the months of the days have their partitions. */
export async function ensureMonths(sql: Sql, days: readonly number[]): Promise<void> {
  if (days.length === 0) return;
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const day of days) [first, last] = [Math.min(first, day), Math.max(last, day)];
  await sql.query("select ensure_meter_days($1::date, $2::date)", [dayText(first), dayText(last)]);
}

/** Names a row. */
export interface DayKey {
  readonly meter: MeterId;
  readonly day: number;
  readonly part: number;
}

/** So many rows in one go are copied: twice to five times as fast as a statement. */
const WORTH_A_COPY = 50;

/**
 * Adds rows inside the caller's transaction, and says which of them it added: what is there stays as it is.
 */
export async function insertDays(
  sql: SqlClient,
  scope: Scope,
  days: readonly MeterDayRow[],
): Promise<readonly DayKey[]> {
  if (days.length === 0) return [];
  if (days.length >= WORTH_A_COPY && (await copyDays(sql, scope, days))) return days;
  const added = await rows<KeyRow>(sql, INSERT_DAYS, [
    ...scope.place,
    days.map(({ day }) => dayText(day)),
    days.map(({ meter }) => meter),
    days.map(({ part }) => part),
    days.map(({ instants }) => instants),
    days.map(({ values }) => values),
    days.map(({ trusted }) => trusted),
    days.map(({ evidenceFrom }) => evidenceFrom),
    days.map(({ evidenceTo }) => evidenceTo),
    days.map(({ packed }) => packed.length),
    Buffer.concat(days.map(({ packed }) => packed)),
  ]);
  return added.map(keyOf);
}

/** Rows as COPY takes them. */
export function encodeDays(scope: Scope, days: readonly MeterDayRow[]): CopyRows {
  const copied = new CopyRows();
  for (const row of days) {
    copied.row(11);
    copied.smallint(scope.place[0]);
    copied.smallint(scope.place[1]);
    copied.date(row.day);
    copied.integer(row.meter);
    copied.integer(row.part);
    copied.integer(row.instants);
    copied.integer(row.values);
    copied.integer(row.trusted);
    copied.bigint(row.evidenceFrom);
    copied.bigint(row.evidenceTo);
    copied.bytea(row.packed);
  }
  return copied;
}

/** Copies rows of which none is there yet; false when one is, and then none was copied. */
async function copyDays(sql: SqlClient, scope: Scope, days: readonly MeterDayRow[]): Promise<boolean> {
  const copied = encodeDays(scope, days);
  await sql.query("savepoint copied_days");
  try {
    await copyInto(sql, "meter_days", DAY_COLUMNS, copied);
    await sql.query("release copied_days");
    return true;
  } catch (error) {
    await sql.query("rollback to copied_days");
    if (isUniqueViolation(error)) return false;
    throw error;
  }
}

/** What is packed of certain days of certain meters, closed days before their parts. */
export async function packedDays(
  sql: Sql,
  scope: Scope,
  wanted: readonly { readonly meter: MeterId; readonly day: number }[],
): Promise<readonly (DayKey & { readonly packed: Uint8Array })[]> {
  if (wanted.length === 0) return [];
  const found = await rows<KeyRow & { readonly packed: Buffer }>(sql, SELECT_WANTED, [
    ...scope.place,
    wanted.map(({ meter }) => meter),
    wanted.map(({ day }) => dayText(day)),
  ]);
  return found.map((row) => ({ ...keyOf(row), packed: row.packed }));
}

/** Deletes rows. */
export async function deleteDays(sql: Sql, scope: Scope, days: readonly DayKey[]): Promise<void> {
  if (days.length === 0) return;
  await sql.query(DELETE_DAYS, [
    ...scope.place,
    days.map(({ meter }) => meter),
    days.map(({ day }) => dayText(day)),
    days.map(({ part }) => part),
  ]);
}

/** What is packed of meters from one to another day, both included: by meter and day, the closed one before its parts. */
export async function daysBetween(
  sql: Sql,
  scope: Scope,
  meters: readonly MeterId[],
  from: number | undefined,
  to: number | undefined,
): Promise<readonly (DayKey & { readonly packed: Uint8Array })[]> {
  const found = await rows<KeyRow & { readonly packed: Buffer }>(sql, SELECT_BETWEEN, [
    ...scope.place,
    meters,
    boundText(from ?? Number.NEGATIVE_INFINITY),
    boundText(to ?? Number.POSITIVE_INFINITY),
  ]);
  return found.map((row) => ({ ...keyOf(row), packed: row.packed }));
}

/** Years that take four digits are dates of SQL as they are; nobody has readings beyond them. */
const [YEAR_1, YEAR_10000] = [Date.parse("0001-01-01T00:00:00Z"), Date.parse("+010000-01-01T00:00:00Z")];

function boundText(day: number): string {
  if (day < YEAR_1) return "-infinity";
  return day >= YEAR_10000 ? "infinity" : dayText(day);
}

interface KeyRow {
  readonly meter_id: number;
  readonly day: number;
  readonly part: number;
}

function keyOf({ meter_id, day, part }: KeyRow): DayKey {
  return { meter: meter_id as MeterId, day, part };
}

const KEY = "d.meter_id, extract(epoch from d.day)::float8 * 1000 as day, d.part";

/** Of `meter_days`, in the order of `encodeDays`. */
export const DAY_COLUMNS = `utility_id, island_id, day, meter_id, part, instants, value_count, trusted_count, evidence_from, evidence_to,
  packed`;

// All packed octets in one value behind each other: as an array of values they would travel as hex text, at twice the cost.
const INSERT_DAYS = `
  insert into meter_days as d (${DAY_COLUMNS})
  select $1, $2, n.day, n.meter_id, n.part, n.instants, n.value_count, n.trusted_count, n.evidence_from, n.evidence_to,
    substring($12::bytea from (1 + sum(n.octets) over (order by n.at rows unbounded preceding) - n.octets)::integer for n.octets)
  from unnest($3::date[], $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::integer[], $9::bigint[],
    $10::bigint[], $11::integer[]) with ordinality
    as n(day, meter_id, part, instants, value_count, trusted_count, evidence_from, evidence_to, octets, at)
  on conflict do nothing
  returning ${KEY}`;

const SELECT_WANTED = `
  select ${KEY}, d.packed from unnest($3::integer[], $4::date[]) as w(meter_id, day)
  join meter_days d on d.utility_id = $1 and d.island_id = $2 and d.meter_id = w.meter_id and d.day = w.day
  order by d.meter_id, d.day, d.part`;

const DELETE_DAYS = `
  delete from meter_days d using unnest($3::integer[], $4::date[], $5::integer[]) as w(meter_id, day, part)
  where d.utility_id = $1 and d.island_id = $2 and d.meter_id = w.meter_id and d.day = w.day and d.part = w.part`;

const SELECT_BETWEEN = `
  select ${KEY}, d.packed from meter_days d
  where d.utility_id = $1 and d.island_id = $2 and d.meter_id = any($3::integer[]) and d.day >= $4::date
    and d.day <= $5::date
  order by d.meter_id, d.day, d.part`;
