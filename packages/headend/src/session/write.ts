import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { octetCounts, type SessionRecord } from "./ladder.ts";
import { packLadder } from "./packed-ladder.ts";

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
  const ladders = sessions.map(({ session }) => packLadder(session.ladder));
  await sql.query(INSERT_LADDERS, [
    ...scope.place,
    sessions.map(({ session }) => session.id),
    ladders.map(({ steps }) => steps),
    ladders.map(({ octets }) => octets.length),
    Buffer.concat(ladders.map(({ octets }) => octets)),
  ]);
}

const INSERT_SESSIONS = `
  insert into sessions (utility_id, island_id, session_id, meter_id, purpose, outcome, code, sentence, started_at, ended_at,
    octets_sent, octets_received, step_count, epoch)
  select $1, $2, s.* from unnest($3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[], $10::timestamptz[], $11::integer[], $12::integer[], $13::smallint[], $14::bigint[]) as s`;

// All octets in one value behind each other: as an array they would travel as hex text, at twice the length.
const INSERT_LADDERS = `
  insert into ladders (utility_id, island_id, session_id, steps, octets)
  select $1, $2, l.session_id, l.steps,
    substring($6::bytea from (1 + sum(l.octets) over (order by l.at rows unbounded preceding) - l.octets)::integer for l.octets)
  from unnest($3::uuid[], $4::text[], $5::integer[]) with ordinality as l(session_id, steps, octets, at)`;
