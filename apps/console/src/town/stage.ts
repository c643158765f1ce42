/** The way a meter goes, from the shipment to trust, as the five stations that the page counts. */
import type { MeterSummary } from "@meterkeep/api";

export const STAGES = ["shipped", "taking-over", "provisional", "trusted", "quarantined"] as const;
export type Stage = (typeof STAGES)[number];

export const STAGE_WORDS = {
  shipped: { name: "Shipped", says: "known from the shipment file, no contact yet" },
  "taking-over": { name: "Taking over", says: "factory keys are being replaced" },
  provisional: { name: "Provisional", says: "own keys proven, the change could have been overheard" },
  trusted: { name: "Trusted", says: "own keys proven, nobody could have overheard" },
  quarantined: { name: "Quarantined", says: "kept a key it said it had changed, or lost its trust since" },
} as const satisfies Record<Stage, { name: string; says: string }>;

/** Facts that a stage rests on. */
export type StageFacts = Pick<MeterSummary, "takeover" | "trust">;

/**
 * The station a meter is at now; undefined for one that has left. Trust outranks the takeover: a meter that lost its trust is
 * quarantined, whatever its keys are.
 */
export function stageOf({ takeover, trust }: StageFacts): Stage | undefined {
  if (takeover === "left" || trust === "retired") return undefined;
  switch (trust) {
    case "trusted":
      return "trusted";
    case "quarantined":
    case "distrusted":
    case "degraded":
      return "quarantined";
    case "provisional":
      return "provisional";
    case "held":
      break;
    default:
      trust satisfies never;
  }
  switch (takeover) {
    case "shipped":
      return "shipped";
    case "under-way":
    case "probing":
      return "taking-over";
    case "refused":
      return "quarantined";
    case "proven":
    case "not-applicable":
      return "provisional";
    default:
      takeover satisfies never;
      return "shipped";
  }
}

/** How many meters are at each station. */
export function countStages(meters: Iterable<StageFacts>): Record<Stage, number> {
  const counts: Record<Stage, number> = { shipped: 0, "taking-over": 0, provisional: 0, trusted: 0, quarantined: 0 };
  for (const meter of meters) {
    const stage = stageOf(meter);
    if (stage !== undefined) counts[stage] += 1;
  }
  return counts;
}
