import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { octetCounts, type SessionRecord } from "./ladder.ts";

/** Anything that ends with a session under a lease. */
interface Ended {
  readonly lease: { readonly meter: { readonly id: MeterId }; readonly epoch: bigint };
  readonly session?: SessionRecord;
}

/** Writes sessions with their ladders, inside the caller's transaction. */
export async function writeSessions(sql: Sql, scope: Scope, ended: readonly Ended[]): Promise<void> {
  const sessions = ended.flatMap(({ lease, session }) => (session === undefined ? [] : [{ lease, session }]));
  if (sessions.length === 0) return;
  const counts = sessions.map(({ session }) => octetCounts(session.ladder));
  await sql.query(INSERT_SESSIONS, [
    ...scope.place,
    sessions.map(({ session }) => session.id),
    sessions.map(({ lease }) => lease.meter.id),
    sessions.map(({ session }) => session.purpose),
    sessions.map(({ session }) => session.outcome),
    sessions.map(({ session }) => session.code ?? null),
    sessions.map(({ session }) => session.sentence),
    sessions.map(({ session }) => new Date(session.startedAt)),
    sessions.map(({ session }) => new Date(session.endedAt)),
    counts.map(({ sent }) => sent),
    counts.map(({ received }) => received),
    sessions.map(({ session }) => session.ladder.length),
    sessions.map(({ lease }) => lease.epoch.toString()),
  ]);
  // One array a ladder: PostgreSQL has no arrays of arrays of different lengths, so ladders are dealt out by number.
  const steps = sessions.flatMap(({ session }, number) =>
    session.ladder.map((entry) => ({ entry, number: number + 1 })),
  );
  await sql.query(INSERT_LADDERS, [
    ...scope.place,
    sessions.map(({ session }) => session.id),
    steps.map(({ number }) => number),
    steps.map(({ entry }) => new Date(entry.at)),
    steps.map(({ entry }) => entry.toMeter),
    steps.map(({ entry }) => entry.step),
    steps.map(({ entry }) => entry.summary),
    steps.map(({ entry }) => Buffer.from(entry.octets)),
    steps.map(({ entry }) => (entry.plain === undefined ? null : Buffer.from(entry.plain))),
    steps.map(({ entry }) => entry.protection),
    steps.map(({ entry }) => (entry.evidence === undefined ? null : Buffer.from(entry.evidence))),
  ]);
}

const INSERT_SESSIONS = `
  insert into sessions (utility_id, island_id, session_id, meter_id, purpose, outcome, code, sentence, started_at, ended_at,
    octets_sent, octets_received, step_count, epoch)
  select $1, $2, s.* from unnest($3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[], $10::timestamptz[], $11::integer[], $12::integer[], $13::smallint[], $14::bigint[]) as s`;

const INSERT_LADDERS = `
  insert into ladders (utility_id, island_id, session_id, at, to_meter, step, summary, octets, plain, protection, evidence)
  select $1, $2, ($3::uuid[])[l.number], array_agg(l.at order by n), array_agg(l.to_meter order by n),
    array_agg(l.step order by n), array_agg(l.summary order by n), array_agg(l.octets order by n),
    array_agg(l.plain order by n), array_agg(l.protection order by n), array_agg(l.evidence order by n)
  from unnest($4::integer[], $5::timestamptz[], $6::boolean[], $7::text[], $8::text[], $9::bytea[], $10::bytea[],
    $11::text[], $12::bytea[]) with ordinality
    as l(number, at, to_meter, step, summary, octets, plain, protection, evidence, n)
  group by l.number`;
