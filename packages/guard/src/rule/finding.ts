import type { Finding, RequestFacts, TargetFacts } from "./facts.ts";
import type { RuleId } from "./rules.ts";

/** What a rule found about a request as a whole. */
export function aboutRequest(
  rule: RuleId,
  effect: Finding["effect"],
  sentence: string,
  { targets }: Pick<RequestFacts, "targets">,
): Finding {
  return { rule, effect, about: "request", sentence, meters: targets };
}

/** What a rule found about some meters, which are set aside; nothing where there are none. */
export function aboutMeters(rule: RuleId, meters: readonly TargetFacts[], words: (count: string) => string): Finding[] {
  if (meters.length === 0) return [];
  const sentence = words(meters.length === 1 ? "1 meter" : `${meters.length} meters`);
  return [{ rule, effect: "stop", about: "meters", sentence, meters }];
}
