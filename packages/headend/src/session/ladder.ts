import { createHash } from "node:crypto";
import type { ProtectionGrade, SessionOutcome, SessionPurpose } from "@meterkeep/api";

/** One thing that travelled in a session, as it goes into the ladder. */
export interface LadderEntry {
  /** Milliseconds since 1970 UTC on our clock. */
  readonly at: number;
  readonly toMeter: boolean;
  /** For example `associate`, `read-registers`, `transfer-working-keys`. */
  readonly step: string;
  /** One line in words. */
  readonly summary: string;
  /** As on the wire, without link layer. */
  readonly octets: Uint8Array;
  /** What it says, where it could be opened and says no secret. */
  readonly plain: Uint8Array | undefined;
  readonly protection: ProtectionGrade;
  /** Evidence that rests on it. */
  readonly evidence?: Uint8Array;
}

/** A session that has ended, as it is stored. */
export interface SessionRecord {
  readonly id: string;
  readonly purpose: SessionPurpose;
  readonly outcome: SessionOutcome;
  readonly code?: string;
  readonly sentence: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly ladder: readonly LadderEntry[];
}

/** Octets that went out and came in. */
export function octetCounts(ladder: readonly LadderEntry[]): { readonly sent: number; readonly received: number } {
  let sent = 0;
  let received = 0;
  for (const entry of ladder)
    if (entry.toMeter) sent += entry.octets.length;
    else received += entry.octets.length;
  return { sent, received };
}

/** SHA-256 of what readings rest on: the protected APDUs exactly as they came in, in their order. */
export function evidenceHash(octets: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(octets).digest());
}
