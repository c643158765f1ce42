import type { PLAUSIBILITY_SEVERITIES } from "@meterkeep/api";

/** How grave a finding is: what it takes from the trust score of who it is about. */
export type FindingSeverity = (typeof PLAUSIBILITY_SEVERITIES)[number];
/** What somebody has to look at: it disputes what it is about, and is told. */
const GRAVE: ReadonlySet<FindingSeverity> = new Set(["alert", "critical"]);

/** What is taken off the score of 100 for a finding of full confidence; half of it is left after seven days. */
export const SEVERITY_WEIGHTS: Readonly<Record<FindingSeverity, number>> = {
  info: 0,
  warn: 8,
  alert: 25,
  critical: 60,
};
export const HALF_LIFE_DAYS = 7;
/** What one rule that warns takes off at most, however often it does. */
export const MOST_OF_A_WARNING = 40;
/** Below, what a meter says is disputed; below the second, its keys are to be changed and somebody has to go there. */
export const SCORE_LIMITS = { disputed: 40, fieldVisit: 20 } as const;

interface PlausibilityRule {
  readonly words: string;
  readonly severity: FindingSeverity;
  /** The stretch that a finding is about is disputed. */
  readonly disputes: boolean;
  /** Once a day, when the day is closed; or within a minute. */
  readonly judged: "day" | "minute";
}

const rule = (
  words: string,
  severity: FindingSeverity,
  judged: PlausibilityRule["judged"] = "day",
  disputes = GRAVE.has(severity),
): PlausibilityRule => ({ words, severity, judged, disputes });

/** The rules of plausibility (docs/rules.md). */
export const PLAUSIBILITY_RULES = {
  "P-1": rule("the intervals of a day sum up to what the registers counted", "alert"),
  "P-2": rule("registers only rise", "alert"),
  "P-3": rule("no interval exceeds what the connection can carry", "alert"),
  "P-4": rule("no interval stands out from the day", "warn"),
  "P-5": rule("a meter with voltage and supply does not count zero for longer than it ever did", "warn"),
  "P-6": rule("values that usually vary do not stand still", "warn"),
  "P-7": rule("a day is like the days of its type before", "info"),
  "P-8": rule("times rise by the period, and clocks are moved by us alone", "alert", "minute"),
  "P-9": rule("relays open by our command, and nothing flows through an open one", "critical", "minute"),
  "P-10": rule("a last gasp comes from who has no power", "alert", "minute", false),
  "P-11": rule("voltage follows that of the meters at the same transformer", "warn"),
  "P-12": rule("a transformer gives what its meters take, and losses", "alert", "day", false),
  "P-13": rule("voltage falls with load as it used to", "warn"),
  "P-14": rule("a meter that is asked again says the same", "critical", "minute"),
  "P-15": rule("meters of one kind or concentrator change as the fleet does", "alert", "day", false),
  "P-16": rule("what is pushed and what is read agree", "alert"),
  "P-17": rule("nobody feeds in who did not before", "info"),
} as const satisfies Record<string, PlausibilityRule>;

export type PlausibilityRuleId = keyof typeof PLAUSIBILITY_RULES;

/** Whether a finding of the rule is one that somebody has to look at. */
export function isGrave(rule: PlausibilityRuleId): boolean {
  return GRAVE.has(PLAUSIBILITY_RULES[rule].severity);
}
