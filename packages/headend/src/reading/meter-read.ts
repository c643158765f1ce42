import type { MeterId } from "../inventory/meter.ts";
import type { TrustPeriod } from "../trust/trust-at.ts";
import type { EvidenceRecord, ReadResult } from "./result.ts";

/** What one meter brought, and how far it was trusted when. */
export interface MeterRead {
  readonly meter: MeterId;
  /** The session, or where the push came from. */
  readonly session?: string | undefined;
  readonly push?: { readonly source: string; readonly transport: "tcp" | "udp" | "gateway" };
  /** When we last spoke with it, milliseconds since 1970 UTC on our clock. */
  readonly contactAt?: number | undefined;
  readonly trustHistory: readonly TrustPeriod[];
  readonly read: ReadResult | undefined;
}

/** The row of a piece of evidence that has been written. */
export type IdOf = (record: EvidenceRecord) => string;
