/** Campaigns in words. */
import type { CampaignState, CampaignView, TargetState } from "@meterkeep/api";

export const STATE_WORDS: Readonly<Record<CampaignState, string>> = {
  quarantined: "set aside by the guard",
  "awaiting-approval": "waits for approval",
  running: "is running",
  paused: "is paused",
  stopped: "was stopped",
  done: "is done",
  expired: "has expired",
};

/** Whether nothing more happens to it. */
export function hasEnded(state: CampaignState): boolean {
  return state === "stopped" || state === "done" || state === "expired";
}

/** What became of targets, those states alone that there are: `12 done, 1 failed`. */
export function countWords(counts: CampaignView["campaign"]["counts"]): string {
  const parts = (Object.entries(counts) as [TargetState, number][]).filter(([, count]) => count > 0);
  return parts.length === 0 ? "none yet" : parts.map(([state, count]) => `${count} ${state}`).join(", ");
}
