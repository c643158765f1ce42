import type { MeterId } from "../inventory/meter.ts";
import type { Stretch } from "../reading/coverage.ts";
import { DAY_MILLISECONDS } from "../reading/day/day-row.ts";
import { type FindingSeverity, HALF_LIFE_DAYS, type PlausibilityRuleId, SEVERITY_WEIGHTS } from "./rules.ts";

/** Who a finding is about. */
export type Subject =
  | { readonly kind: "meter"; readonly meter: MeterId }
  | { readonly kind: "transformer"; readonly transformer: string }
  /** Meters that share a firmware, a profile or a concentrator. */
  | { readonly kind: "cohort"; readonly cohort: string };

/** What a rule found. The numbers that it rests on stand in `data`, so that anybody can work it out again. */
export interface PlausibilityFinding {
  readonly rule: PlausibilityRuleId;
  readonly subject: Subject;
  /** What it is about, at the source. */
  readonly stretch: Stretch;
  /** From above 0 to 1. */
  readonly confidence: number;
  readonly sentence: string;
  readonly data: Readonly<Record<string, number | string>>;
}

/** The trust score of a meter, 0 to 100: what its findings leave of 100, each worth half after seven days. */
export function trustScore(
  findings: readonly { readonly severity: FindingSeverity; readonly confidence: number; readonly at: number }[],
  now: number,
): number {
  const taken = findings.reduce(
    (sum, { severity, confidence, at }) =>
      sum +
      SEVERITY_WEIGHTS[severity] * confidence * 0.5 ** (Math.max(0, now - at) / (HALF_LIFE_DAYS * DAY_MILLISECONDS)),
    0,
  );
  return Math.max(0, 100 - taken);
}
