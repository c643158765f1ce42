import type { CustodianRequest } from "@meterkeep/api/custodian";
import type { Caller } from "../calls/caller.ts";
import type { Line } from "../conversation/line.ts";
import type { EvidenceHash } from "../evidence/evidence-hash.ts";
import type { SetupPlace } from "../store/records.ts";
import type { CriticalTurn } from "./critical-turn.ts";
import type { SessionAssociation } from "./session-association.ts";

/** One crypto session, as long as it is open. */
export interface Session {
  readonly caller: Caller;
  readonly place: SetupPlace;
  readonly purpose: CustodianRequest<"openSession">["purpose"];
  readonly keyVersion: number;
  /** Somebody waits for what it brings, and its caller has not hurried too many: its end shares no commit either. */
  readonly isAwaited: boolean;
  /** The change of keys that brought them has proven that those before are dead. */
  readonly isProven: boolean;
  readonly line: Line;
  readonly turn: CriticalTurn;
  /** Everything after the association's making goes under a key of its own. */
  readonly isDedicated: boolean;
  readonly association: SessionAssociation;
  readonly evidence: EvidenceHash;
  /** What the caller may still seal for the meter is in this bucket. */
  readonly bucket: number;
  refused: number;
  /** How many calls may still seal something: the closing entry waits for them. */
  underWay: number;
  /** Told when none is. */
  readonly waiting: (() => void)[];
}

/** A call that holds back the end of its session. */
export async function during<T>(session: Session, call: Promise<T>): Promise<T> {
  session.underWay += 1;
  try {
    return await call;
  } finally {
    session.underWay -= 1;
    if (session.underWay === 0) for (const told of session.waiting.splice(0)) told();
  }
}
