import type { EventCategory, LoggedEvent, ProtectionGrade, TrustStateName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { eventWords } from "../profile/event-words.ts";
import { timeText } from "./time-text.ts";

/** Which events. */
export interface EventFilter {
  /** Of one meter; of all unless given. */
  readonly meter?: MeterId;
  /** Time at the source. */
  readonly from: Date | undefined;
  readonly to: Date | undefined;
  readonly category: EventCategory | undefined;
  /** At least so grave. */
  readonly severity: number;
  readonly limit: number;
}

/** What meters wrote into their event logs, newest first, in the words of their profiles. */
export async function loggedEvents(sql: Sql, scope: Scope, filter: EventFilter): Promise<readonly LoggedEvent[]> {
  const found = await rows<EventRow>(sql, SELECT_EVENTS, [
    ...scope.place,
    filter.meter ?? null,
    filter.from ?? null,
    filter.to ?? null,
    filter.category ?? null,
    filter.severity,
    filter.limit,
  ]);
  return found.map((row) => ({
    meter: row.title,
    label: row.label,
    log: row.log,
    code: row.code,
    words: eventWords(row),
    category: row.category,
    severity: row.severity,
    time: timeText(row.at),
    receivedAt: timeText(row.received_at),
    evidence: row.evidence,
    protection: row.protection,
    trustAtCapture: row.trust_at_capture,
  }));
}

interface EventRow {
  readonly title: string;
  readonly label: string;
  readonly profile: string;
  readonly log: string;
  readonly code: number;
  readonly category: EventCategory;
  readonly severity: number;
  readonly at: Date;
  readonly received_at: Date;
  readonly evidence: string;
  readonly protection: ProtectionGrade;
  readonly trust_at_capture: TrustStateName;
}

const SELECT_EVENTS = `
  select upper(encode(m.system_title, 'hex')) as title, m.label, m.profile, v.log, v.code::float8 as code, v.category, v.severity, v.at,
    v.received_at, encode(e.hash, 'hex') as evidence, v.protection, v.trust_at_capture
  from meter_events v
  join meters m using (utility_id, island_id, meter_id)
  join evidence e on (e.utility_id, e.island_id, e.evidence_id) = (v.utility_id, v.island_id, v.evidence_id)
  where v.utility_id = $1 and v.island_id = $2 and ($3::integer is null or v.meter_id = $3)
    and ($4::timestamptz is null or v.at >= $4) and ($5::timestamptz is null or v.at <= $5)
    and ($6::text is null or v.category = $6) and v.severity >= $7
  order by v.at desc, m.system_title, v.log, v.code limit $8`;
