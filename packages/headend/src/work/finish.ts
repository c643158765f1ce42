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
