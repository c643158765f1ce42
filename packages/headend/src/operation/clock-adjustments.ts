import { DAY_MILLISECONDS } from "../time/day.ts";
import type { MeterMemory } from "./operation.ts";

/** One correction of a clock. */
export interface Adjustment {
  /** Milliseconds since 1970 UTC on our clock. */
  readonly at: number;
  /** By how much it was moved; positive is forwards. */
  readonly seconds: number;
}

/** With more than so many in 30 days a clock is an incident. */
export const MOST_ADJUSTMENTS = 3;

const TOPIC = "clock-adjustments";
const KEPT_MILLISECONDS = 30 * DAY_MILLISECONDS;

/** The corrections of the last 30 days, the oldest first. */
export async function recentAdjustments(memory: MeterMemory, now: number): Promise<readonly Adjustment[]> {
  const kept = ((await memory.load(TOPIC)) ?? []) as readonly Adjustment[];
  return kept.filter(({ at }) => at > now - KEPT_MILLISECONDS);
}

export async function keepAdjustment(memory: MeterMemory, adjustment: Adjustment): Promise<void> {
  await memory.save(TOPIC, [...(await recentAdjustments(memory, adjustment.at)), adjustment]);
}
