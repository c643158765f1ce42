import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import type { ArrivedInterval } from "./arrived-interval.ts";

/** Keeps values that contradict what is held: neither overwrites the other, and the interval is disputed from now on. */
export async function insertCorrections(sql: Sql, scope: Scope, values: readonly ArrivedInterval[]): Promise<void> {
  if (values.length === 0) return;
  await sql.query(INSERT_CORRECTIONS, [
    ...scope.place,
    values.map(({ meter }) => meter),
    values.map(({ channel }) => channel),
    values.map(({ at }) => new Date(at)),
    values.map(({ evidence }) => evidence),
    values.map(({ value }) => value),
    values.map(({ status }) => status ?? null),
    values.map(({ protection }) => protection),
    values.map(({ trustAtCapture }) => trustAtCapture),
  ]);
}

const INSERT_CORRECTIONS = `
  insert into interval_corrections (utility_id, island_id, meter_id, channel_id, at, evidence_id, value, status, protection,
    trust_at_capture)
  select $1, $2, c.* from unnest($3::integer[], $4::smallint[], $5::timestamptz[], $6::bigint[], $7::float8[], $8::bigint[],
    $9::protection_grade[], $10::trust_state[]) as c
  on conflict do nothing`;
