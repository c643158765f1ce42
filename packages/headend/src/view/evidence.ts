import type { EvidenceView, ProtectionGrade, TrustStateName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql } from "../database/sql.ts";
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
    intervals: Number(row.intervals),
    registers: Number(row.registers),
  };
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
  readonly intervals: string;
  readonly registers: string;
}

const SELECT = `
  select upper(encode(m.system_title, 'hex')) as title, e.session_id, e.push_source, e.push_transport, e.octets, e.plain,
    e.protection, e.received_at, e.trust_at_capture, t.state as trust_now,
    (select count(distinct at) from interval_readings i
     where (i.utility_id, i.island_id, i.meter_id, i.evidence_id) = (e.utility_id, e.island_id, e.meter_id, e.evidence_id))
     as intervals,
    (select count(*) from register_readings r
     where (r.utility_id, r.island_id, r.meter_id, r.evidence_id) = (e.utility_id, e.island_id, e.meter_id, e.evidence_id))
     as registers
  from evidence e
  join meters m using (utility_id, island_id, meter_id)
  join trust t using (utility_id, island_id, meter_id)
  where e.utility_id = $1 and e.island_id = $2 and e.hash = $3`;
