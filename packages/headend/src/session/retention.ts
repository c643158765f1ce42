import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";

/** How long what nobody needs for evidence is kept. Readings and their evidence have a setting of their own. */
export interface Retention {
  /** Ladders of readings that went well; each meter's last one stays. */
  readonly ladderMinutes: number;
  /** Sessions that went well. */
  readonly sessionDays: number;
}

export const RETENTION: Retention = { ladderMinutes: 20, sessionDays: 2 };

/** Forgets the ladders and sessions that are old. Takeovers and failures stay. */
export async function thinOut(sql: Sql, scope: Scope, now: number, retention: Retention = RETENTION): Promise<void> {
  await sql.query(DELETE_LADDERS, [...scope.place, new Date(now - retention.ladderMinutes * 60_000)]);
  await sql.query(DELETE_SESSIONS, [...scope.place, new Date(now - retention.sessionDays * DAY_MILLISECONDS)]);
}

const OLD_ROUTINE = `s.utility_id = $1 and s.island_id = $2 and s.ended_at < $3
  and s.purpose in ('read', 'verify') and s.outcome = 'done'
  and exists (select from sessions n
    where (n.utility_id, n.island_id, n.meter_id) = (s.utility_id, s.island_id, s.meter_id) and n.started_at > s.started_at)`;

const DELETE_LADDERS = `
  delete from ladders l using sessions s
  where (l.utility_id, l.island_id, l.session_id) = (s.utility_id, s.island_id, s.session_id) and ${OLD_ROUTINE}`;

const DELETE_SESSIONS = `delete from sessions s where ${OLD_ROUTINE}`;
