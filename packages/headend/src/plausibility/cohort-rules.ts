import { DAY_MILLISECONDS } from "../time/day.ts";
import type { PlausibilityFinding } from "./finding.ts";
import { median } from "./history.ts";

const DRIFT = { low: 0.8, high: 1.25, leastMeters: 30 } as const;

/** How a meter's day compares with the day before, and which cohorts it is of. */
export interface DayChange {
  /** Wh of the day over Wh of the day before. */
  readonly ratio: number;
  /** `firmware 1.0`, `concentrator dc-1`, `profile idis-p2`. */
  readonly cohorts: readonly string[];
}

/** P-15: cohorts whose days change otherwise than those of the fleet. */
export function judgeCohorts(day: number, changes: readonly DayChange[]): readonly PlausibilityFinding[] {
  const fleet = median(changes.map(({ ratio }) => ratio));
  const ratios = new Map<string, number[]>();
  for (const { ratio, cohorts } of changes)
    for (const cohort of cohorts) {
      const known = ratios.get(cohort);
      if (known === undefined) ratios.set(cohort, [ratio]);
      else known.push(ratio);
    }
  return [...ratios].flatMap(([cohort, own]): PlausibilityFinding[] => {
    const others = changes.length - own.length;
    if (own.length < DRIFT.leastMeters || others < DRIFT.leastMeters) return [];
    const drift = median(own) / fleet;
    if (drift >= DRIFT.low && drift <= DRIFT.high) return [];
    const percent = Math.abs((drift - 1) * 100).toFixed(0);
    return [
      {
        rule: "P-15",
        subject: { kind: "cohort", cohort },
        stretch: { from: day, to: day + DAY_MILLISECONDS },
        confidence: 1,
        sentence: `The ${own.length} meters of ${cohort} count ${percent} % ${drift < 1 ? "less" : "more"} than the day before, against the fleet.`,
        data: { meters: own.length, drift, fleet },
      },
    ];
  });
}
