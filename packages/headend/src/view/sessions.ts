import type { LadderStep, SessionDetail, SessionOutcome, SessionPurpose, SessionSummary } from "@meterkeep/api";
import { apduLines, toHex } from "@meterkeep/dlms";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { LadderEntry } from "../session/ladder.ts";
import { type PackedLadder, unpackLadder } from "../session/packed-ladder.ts";
import { optional, optionalTime, timeText } from "./time-text.ts";

/** A meter's sessions, newest first. */
export async function sessionsOf(
  sql: Sql,
  scope: Scope,
  meter: MeterId,
  limit: number,
): Promise<readonly SessionSummary[]> {
  const found = await rows<SessionRow>(
    sql,
    `${SELECT} where s.utility_id = $1 and s.island_id = $2 and s.meter_id = $3 order by s.started_at desc limit $4`,
    [...scope.place, meter, limit],
  );
  return found.map(summaryOfRow);
}

/** A session step by step; undefined when there is none of that id. */
export async function sessionDetail(sql: Sql, scope: Scope, id: string): Promise<SessionDetail | undefined> {
  const row = await firstRow<SessionRow>(
    sql,
    `${SELECT} where s.utility_id = $1 and s.island_id = $2 and s.session_id = $3`,
    [...scope.place, id],
  );
  if (row === undefined) return undefined;
  const packed = await firstRow<PackedLadder>(sql, SELECT_LADDER, [...scope.place, id]);
  return { session: summaryOfRow(row), ladder: packed === undefined ? [] : unpackLadder(packed).map(stepOf) };
}

function summaryOfRow(row: SessionRow): SessionSummary {
  return {
    id: row.session_id,
    meter: row.title,
    purpose: row.purpose,
    outcome: row.outcome,
    ...optional("code", row.code),
    sentence: row.sentence,
    startedAt: timeText(row.started_at),
    ...optionalTime("endedAt", row.ended_at),
    steps: row.step_count,
    octetsSent: row.octets_sent,
    octetsReceived: row.octets_received,
  };
}

function stepOf(entry: LadderEntry): LadderStep {
  const shown = entry.plain ?? (entry.protection === "none" ? entry.octets : undefined);
  const decoded = shown === undefined ? undefined : apduLines(shown);
  return {
    at: new Date(entry.at).toISOString(),
    direction: entry.toMeter ? "to-meter" : "from-meter",
    step: entry.step,
    summary: entry.summary,
    octets: hex(entry.octets),
    ...(entry.plain === undefined ? {} : { plain: hex(entry.plain) }),
    ...(decoded === undefined ? {} : { decoded: [...decoded] }),
    protection: entry.protection,
    ...(entry.evidence === undefined ? {} : { evidence: toHex(entry.evidence) }),
  };
}

function hex(octets: Uint8Array): string {
  return toHex(octets).toUpperCase();
}

interface SessionRow {
  readonly session_id: string;
  readonly title: string;
  readonly purpose: SessionPurpose;
  readonly outcome: SessionOutcome;
  readonly code: string | null;
  readonly sentence: string;
  readonly started_at: Date;
  readonly ended_at: Date | null;
  readonly step_count: number;
  readonly octets_sent: number;
  readonly octets_received: number;
}
const SELECT = `
  select s.session_id, upper(encode(m.system_title, 'hex')) as title, s.purpose, s.outcome, s.code, s.sentence, s.started_at,
    s.ended_at, s.step_count, s.octets_sent, s.octets_received
  from sessions s join meters m using (utility_id, island_id, meter_id)`;

const SELECT_LADDER = `
  select steps, octets from ladders where utility_id = $1 and island_id = $2 and session_id = $3`;
