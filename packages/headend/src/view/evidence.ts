import type { EvidenceView, ProtectionGrade, TrustStateName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { intervalsOf } from "../reading/day/day-row.ts";
import { optional, timeText } from "./time-text.ts";

/** The octets behind a value; undefined when there are none of that hash. */
export async function evidenceView(sql: Sql, scope: Scope, hash: string): Promise<EvidenceView | undefined> {
  const row = await firstRow<EvidenceRow>(sql, SELECT, [...scope.place, Buffer.from(hash, "hex")]);
  if (row === undefined) return undefined;
  return {
    hash,
    apdu: row.octets.toString("hex").toUpperCase(),
    ...optional("plain", row.plain?.toString("hex").toUpperCase()),
    meter: row.title,
    ...optional("session", row.session_id),
    ...(row.push_source === null || row.push_transport === null
      ? {}
      : { push: { source: row.push_source, transport: row.push_transport } }),
    receivedAt: timeText(row.received_at),
    protection: row.protection,
    trustAtCapture: row.trust_at_capture,
    trustNow: row.trust_now,
    intervals: await instantsOn(sql, scope, row),
    registers: Number(row.registers),
  };
}

/** How many instants of the load profile rest on it: single values, and what packed days hold. */
async function instantsOn(sql: Sql, scope: Scope, row: EvidenceRow): Promise<number> {
  const evidence = Number(row.evidence_id);
  const instants = new Set(row.single_instants ?? []);
  for (const { day, packed } of await rows<PackedRow>(sql, SELECT_PACKED, [...scope.place, row.meter_id, evidence]))
    for (const one of intervalsOf(day, packed)) if (one.evidence === evidence) instants.add(one.at);
  return instants.size;
}

interface PackedRow {
  readonly day: number;
  readonly packed: Buffer;
}
interface EvidenceRow {
  readonly title: string;
  readonly session_id: string | null;
  readonly push_source: string | null;
  readonly push_transport: "tcp" | "udp" | "gateway" | null;
  readonly octets: Buffer;
  readonly plain: Buffer | null;
  readonly protection: ProtectionGrade;
  readonly received_at: Date;
  readonly trust_at_capture: TrustStateName;
  readonly trust_now: TrustStateName;
  readonly evidence_id: string;
  readonly meter_id: number;
  readonly single_instants: number[] | null;
  readonly registers: string;
}

const SELECT = `
  select upper(encode(m.system_title, 'hex')) as title, e.session_id, e.push_source, e.push_transport, e.octets, e.plain,
    e.protection, e.received_at, e.trust_at_capture, t.state as trust_now,
    e.evidence_id, e.meter_id,
    (select array_agg(distinct extract(epoch from at)::float8 * 1000) from interval_readings i
     where (i.utility_id, i.island_id, i.meter_id, i.evidence_id) = (e.utility_id, e.island_id, e.meter_id, e.evidence_id))
     as single_instants,
    (select count(*) from register_readings r
     where (r.utility_id, r.island_id, r.meter_id, r.evidence_id) = (e.utility_id, e.island_id, e.meter_id, e.evidence_id))
     as registers
  from evidence e
  join meters m using (utility_id, island_id, meter_id)
  join trust t using (utility_id, island_id, meter_id)
  where e.utility_id = $1 and e.island_id = $2 and e.hash = $3`;

const SELECT_PACKED = `
  select extract(epoch from day)::float8 * 1000 as day, packed from meter_days
  where utility_id = $1 and island_id = $2 and meter_id = $3 and evidence_from <= $4 and evidence_to >= $4`;
