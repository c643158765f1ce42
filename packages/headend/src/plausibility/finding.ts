import type { Rows } from "../dispute/standing.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { Stretch } from "../reading/coverage.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import {
  type FindingSeverity,
  HALF_LIFE_DAYS,
  MOST_OF_A_WARNING,
  type PlausibilityRuleId,
  SEVERITY_WEIGHTS,
} from "./rules.ts";

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
  /** The parts of that time that it is about, in their order, where it is not all of it. */
  readonly stretches?: readonly Stretch[];
  /** Which rows of a meter it disputes, where it is not all of that time. */
  readonly concerns?: Rows;
  /** It disputes only what rests on evidence of a higher number; all where absent. */
  readonly newerThan?: number;
  /** When it showed, at the source: findings of one cause bear one moment. The end of its time where absent. */
  readonly seenAt?: number;
  /** From above 0 to 1. */
  readonly confidence: number;
  readonly sentence: string;
  readonly data: Readonly<Record<string, number | string>>;
}

interface Weighed {
  readonly rule: string;
  readonly severity: FindingSeverity;
  readonly confidence: number;
  /** When it showed, at the source. */
  readonly at: number;
}

/**
 * The trust score of a meter, 0 to 100: what its findings leave of 100, each worth half after seven days. Of a rule the gravest
 * of those counts that showed on one day, which is where findings of one cause are, and one rule that only warns takes {@link MOST_OF_A_WARNING} at most: a habit, such as one strong load a
 * day, is no reason to believe nobody. It takes two that warn, or one that alerts.
 */
export function trustScore(findings: readonly Weighed[], now: number): number {
  const byRule = Map.groupBy(findings, ({ rule }) => rule);
  let taken = 0;
  for (const own of byRule.values()) {
    const days = Map.groupBy(own, ({ at }) => Math.ceil(at / DAY_MILLISECONDS));
    const ofRule = [...days.values()].reduce((sum, day) => sum + Math.max(...day.map((one) => worth(one, now))), 0);
    taken += own.every(({ severity }) => severity === "warn") ? Math.min(MOST_OF_A_WARNING, ofRule) : ofRule;
  }
  return Math.max(0, 100 - taken);
}

function worth({ severity, confidence, at }: Weighed, now: number): number {
  const age = Math.max(0, now - at);
  return SEVERITY_WEIGHTS[severity] * confidence * 0.5 ** (age / (HALF_LIFE_DAYS * DAY_MILLISECONDS));
}
