import type { ProtectionGrade, Standing, TrustStateName } from "@meterkeep/api";
import { isSettledFor } from "../dispute/standing.ts";

/** A change of a source's trust as it bears on data. */
export interface TrustPeriod {
  /** From when on it counts, time at the source, milliseconds since 1970 UTC. */
  readonly effective: number;
  readonly state: TrustStateName;
}

/**
 * The trust a source had at an instant of its own time: the state of the latest change that was effective by then, in
 * the order in which the changes were decided; `held` before the first. So what was captured before the takeover was
 * proven is `held` for ever, and a lowering that is dated back takes in what was captured since.
 */
export function trustAt(history: readonly TrustPeriod[], at: number): TrustStateName {
  let state: TrustStateName = "held";
  for (const change of history) if (change.effective <= at) state = change.state;
  return state;
}

/**
 * Whether decisions may use a value: its source was trusted when it was captured and is trusted now, its octets proved
 * that they come from it, and it is in no dispute that nobody has settled for it. Without a tag anybody on the way could have
 * changed them.
 */
export function isDecisive(
  atCapture: TrustStateName,
  now: TrustStateName,
  protection: ProtectionGrade,
  standing: Standing,
): boolean {
  return atCapture === "trusted" && now === "trusted" && protection === "authenticated" && isSettledFor(standing);
}
