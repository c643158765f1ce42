import type { EventCategory, ProtectionGrade, TrustStateName } from "@meterkeep/api";
import { rows } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { eventWords } from "../profile/event-words.ts";
import { type ExportableValue, type ExportKind, FIRST_COLUMNS, LAST_COLUMNS } from "./export-kind.ts";

/** A line of an event log; its value is its code. */
export interface ExportableEvent extends ExportableValue {
  readonly value: number;
  /** As the meter profile calls it. */
  readonly log: string;
  /** What the code says in the meter's profile. */
  readonly words: string;
  readonly category: EventCategory;
  /** From 0, ordinary, to 4, an attack. */
  readonly severity: number;
  /** Milliseconds since 1970 UTC on our clock. */
  readonly receivedAt: number;
  /** SHA-256 of the octets it rests on, hex. */
  readonly evidence: string;
}

const [METER, , , TIME] = FIRST_COLUMNS;

/** What meters wrote into their event logs, in the order of time. Nobody disputes events: they are there or they are not. */
export const EVENTS: ExportKind<ExportableEvent> = {
  open:
    async (sql, scope) =>
    async (meters, { from, to }) => {
      const values = [...scope.place, meters, new Date(from), new Date(to)];
      const found = await rows<EventRow>(sql, SELECT_EVENTS, values);
      const byMeter = Map.groupBy(found, ({ meter_id }) => meter_id as MeterId);
      return new Map([...byMeter].map(([meter, of]) => [meter, [{ obis: "", unit: "", values: of.map(eventOf) }]]));
    },
  columns: [
    METER,
    TIME,
    { name: "log", type: "STRING", cell: ({ log }) => log },
    { name: "code", type: "INT64", cell: ({ value }) => BigInt(value) },
    { name: "words", type: "STRING", cell: ({ words }) => words },
    { name: "category", type: "STRING", cell: ({ category }) => category },
    { name: "severity", type: "INT64", cell: ({ severity }) => BigInt(severity) },
    { name: "received", type: "TIMESTAMP", cell: ({ receivedAt }) => new Date(receivedAt) },
    { name: "evidence", type: "STRING", cell: ({ evidence }) => evidence },
    ...LAST_COLUMNS,
  ],
};

function eventOf(row: EventRow): ExportableEvent {
  return {
    at: row.at.getTime(),
    value: row.code,
    log: row.log,
    words: eventWords(row),
    category: row.category,
    severity: row.severity,
    receivedAt: row.received_at.getTime(),
    evidence: row.evidence,
    protection: row.protection,
    trustAtCapture: row.trust_at_capture,
    standing: "undisputed",
  };
}

interface EventRow {
  readonly meter_id: number;
  readonly profile: string;
  readonly log: string;
  readonly at: Date;
  readonly received_at: Date;
  readonly code: number;
  readonly category: EventCategory;
  readonly severity: number;
  readonly evidence: string;
  readonly protection: ProtectionGrade;
  readonly trust_at_capture: TrustStateName;
}

const SELECT_EVENTS = `
  select v.meter_id, m.profile, v.log, v.at, v.received_at, v.code::float8 as code, v.category, v.severity,
    encode(e.hash, 'hex') as evidence, v.protection, v.trust_at_capture
  from meter_events v
  join meters m using (utility_id, island_id, meter_id)
  join evidence e on (e.utility_id, e.island_id, e.evidence_id) = (v.utility_id, v.island_id, v.evidence_id)
  where v.utility_id = $1 and v.island_id = $2 and v.meter_id = any($3::integer[]) and v.at >= $4 and v.at <= $5
  order by v.meter_id, v.at, v.log, v.code`;
