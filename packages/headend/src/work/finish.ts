import type { TakeoverState } from "@meterkeep/api/custodian";
import type { CommandOutcome } from "../campaign/command-sessions.ts";
import type { ReadResult } from "../reading/result.ts";
import type { SessionRecord } from "../session/ladder.ts";
import type { Trust } from "../trust/trust.ts";
import type { Lease, NextDue } from "./lease.ts";

/** A change of trust, dated. */
export interface TrustChangeRecord extends Trust {
  /** Milliseconds since 1970 UTC on our clock. */
  readonly decidedAt: number;
  /** From when on it bears on data, at the source. */
  readonly effective: number;
}

/** All that a lease brought: written in the transaction that ends it, or not at all. */
export interface Finished {
  readonly lease: Lease;
  /** Absent when nobody was spoken to. */
  readonly session?: SessionRecord;
  readonly read?: ReadResult;
  readonly takeover?: TakeoverState;
  readonly trust?: TrustChangeRecord;
  /** Of a target of a campaign. */
  readonly command?: CommandOutcome;
  readonly next: NextDue;
}

/**
 * The same, to be done again at `dueAt`, in the lane in which it waited and as it was asked for: no failure of the meter. A session
 * in which it has heard nothing was none; what became of a command is written all the same.
 */
export function putBack(finished: Finished, dueAt: number): Finished {
  const { lease, session, command, next } = finished;
  const { onDemand, lane, attempts } = lease;
  const again = { ...next, lane, dueAt, attempts, ...(onDemand !== undefined && { onDemand }) };
  if (session !== undefined && session.ladder.length > 0) return { ...finished, next: again };
  return { lease, ...(command !== undefined && { command }), next: again };
}
