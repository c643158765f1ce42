import type { TakeoverState } from "@meterkeep/api/custodian";
import type { CommandOutcome } from "../campaign/command-sessions.ts";
import type { ReadResult } from "../reading/result.ts";
import type { SessionRecord } from "../session/ladder.ts";
import type { Trust } from "../trust/trust.ts";
import { LANES, type Lease, type NextDue, type OnDemand } from "./lease.ts";

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

/** Where what was asked for waits again: keys are changed by the thousand, and keep nobody waiting who asks for one meter. */
const LANE_OF: Readonly<Record<OnDemand, NextDue["lane"]>> = {
  read: LANES.onDemand,
  verify: LANES.onDemand,
  command: LANES.onDemand,
  rotate: LANES.takeover,
};

/**
 * The same, to be done again at `dueAt` as it was asked for: no failure of the meter. A session in which it has heard nothing was
 * none.
 */
export function putBack(finished: Finished, dueAt: number): Finished {
  const { lease, session, next } = finished;
  const { onDemand, attempts } = lease;
  const asked = onDemand === undefined ? {} : { lane: LANE_OF[onDemand], onDemand };
  const again = { ...next, ...asked, dueAt, attempts };
  return session === undefined || session.ladder.length === 0 ? { lease, next: again } : { ...finished, next: again };
}
