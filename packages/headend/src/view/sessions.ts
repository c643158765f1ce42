import type {
  LadderStep,
  ProtectionGrade,
  SessionDetail,
  SessionOutcome,
  SessionPurpose,
  SessionSummary,
} from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { decodedLines } from "../session/decoded.ts";
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
  const steps = await rows<StepRow>(sql, SELECT_LADDER, [...scope.place, id]);
  return { session: summaryOfRow(row), ladder: steps.map(stepOfRow) };
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

function stepOfRow(row: StepRow): LadderStep {
  const shown = row.plain ?? (row.protection === "none" ? row.octets : undefined);
  const decoded = shown === undefined ? undefined : decodedLines(new Uint8Array(shown));
  return {
    at: timeText(row.at),
    direction: row.to_meter ? "to-meter" : "from-meter",
    step: row.step,
    summary: row.summary,
    octets: hex(row.octets),
    ...(row.plain === null ? {} : { plain: hex(row.plain) }),
    ...(decoded === undefined ? {} : { decoded: [...decoded] }),
    protection: row.protection,
    ...(row.evidence === null ? {} : { evidence: row.evidence.toString("hex") }),
  };
}

function hex(octets: Buffer): string {
  return octets.toString("hex").toUpperCase();
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
interface StepRow {
  readonly at: Date;
  readonly to_meter: boolean;
  readonly step: string;
  readonly summary: string;
  readonly octets: Buffer;
  readonly plain: Buffer | null;
  readonly protection: ProtectionGrade;
  readonly evidence: Buffer | null;
}

const SELECT = `
  select s.session_id, upper(encode(m.system_title, 'hex')) as title, s.purpose, s.outcome, s.code, s.sentence, s.started_at,
    s.ended_at, s.step_count, s.octets_sent, s.octets_received
  from sessions s join meters m using (utility_id, island_id, meter_id)`;

const SELECT_LADDER = `
  select x.at, x.to_meter, x.step, x.summary, x.octets, x.plain, x.protection, x.evidence
  from ladders l, unnest(l.at, l.to_meter, l.step, l.summary, l.octets, l.plain, l.protection, l.evidence) with ordinality
    as x(at, to_meter, step, summary, octets, plain, protection, evidence, n)
  where l.utility_id = $1 and l.island_id = $2 and l.session_id = $3 order by x.n`;
