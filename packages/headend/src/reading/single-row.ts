import type { ProtectionGrade, TrustStateName } from "@meterkeep/api";
import type { HeldInterval } from "./day/day-row.ts";

/** A row of `interval_readings` as `SINGLE_COLUMNS` selects it. */
export interface SingleRow {
  readonly meter_id: number;
  readonly channel_id: number;
  /** Milliseconds since 1970 UTC at the source. */
  readonly at: number;
  readonly value: number;
  readonly status: string | null;
  readonly evidence_id: string;
  readonly protection: ProtectionGrade;
  readonly trust_at_capture: TrustStateName;
}

/** Of `interval_readings r`. */
export const SINGLE_COLUMNS = `r.meter_id, r.channel_id, extract(epoch from r.at)::float8 * 1000 as at, r.value, r.status,
  r.evidence_id, r.protection, r.trust_at_capture`;

/** The value of a single row. */
export function intervalOfRow(row: SingleRow): HeldInterval {
  return {
    channel: row.channel_id,
    at: row.at,
    value: row.value,
    status: row.status === null ? undefined : Number(row.status),
    evidence: Number(row.evidence_id),
    protection: row.protection,
    trustAtCapture: row.trust_at_capture,
  };
}
