import { isRestoring, takesOff } from "../operation/direction.ts";
import { directionOf } from "../operation/operation.ts";
import { fleetCaps, loadCaps, partCaps } from "./caps.ts";
import { justification, notice, protectedSites } from "./consent.ts";
import { doubt, doubtSince } from "./doubt.ts";
import type { Finding, GuardFacts, TargetFacts } from "./facts.ts";
import { novelty } from "./novelty.ts";
import { calendar, freeze, oscillation, ownClock, repetition, toggles } from "./pace.ts";
import { MC_RULES } from "./rules.ts";
import { valueBounds } from "./values.ts";
import { temperature } from "./weather.ts";

type Look = (facts: GuardFacts) => readonly Finding[];

/** Of what can switch off: looked at meter by meter first, since caps count what is left. */
const OFF_METERS: readonly Look[] = [protectedSites, justification, notice, toggles];
const OFF_REQUEST: readonly Look[] = [calendar, temperature, oscillation, fleetCaps, partCaps, loadCaps];
const ANY_METERS: readonly Look[] = [valueBounds];
const ANY_REQUEST: readonly Look[] = [doubt, ownClock, repetition, novelty];

/** What the guard says of a request. */
export interface Judgement {
  readonly findings: readonly Finding[];
  /** Those that may go on. */
  readonly targets: readonly TargetFacts[];
  readonly verdict: "goes-on" | "quarantined" | "nothing-left";
}

/**
 * Judges a request whole. Meters that a rule sets aside are taken out first; what is left is planned by `plan` and held
 * against what is about all of it. Reconnecting passes every cap (MC-15) and needs no billing system.
 *
 * `waived` are rules that another person has released it from; only releasable ones can be.
 */
export function judge(
  facts: GuardFacts,
  plan: (targets: readonly TargetFacts[]) => GuardFacts["request"]["peak"],
  waived: ReadonlySet<string> = new Set(),
): Judgement {
  const direction = directionOf(facts.request.operation);
  const isOff = takesOff(direction);
  const setAside = new Set<TargetFacts>();
  const findings: Finding[] = [];
  for (const look of isOff ? [...OFF_METERS, ...ANY_METERS] : ANY_METERS)
    for (const finding of look(facts)) {
      findings.push(finding);
      if (finding.about === "meters") for (const meter of finding.meters) setAside.add(meter);
    }
  const targets = facts.request.targets.filter((target) => !setAside.has(target));
  const left: GuardFacts = { ...facts, request: { ...facts.request, targets, peak: plan(targets) } };
  // Giving supply back is stopped by nothing but the kill switch, which the custodian holds to.
  const looks = isOff ? [...OFF_REQUEST, ...ANY_REQUEST] : isRestoring(direction) ? [] : ANY_REQUEST;
  if (targets.length > 0) for (const look of [freeze, ...looks]) findings.push(...look(left));
  const held = findings.filter((finding) => !isWaived(finding, waived));
  const isHeld = held.some(({ about, effect }) => about === "request" && effect !== "warn");
  const verdict = targets.length === 0 ? "nothing-left" : isHeld ? "quarantined" : "goes-on";
  return { findings, targets, verdict };
}

/** What is asked once more at the very moment in which a meter is commanded; a cap that was kept then is kept by the pace. */
const ANY_AT_EXECUTION: readonly Look[] = [ownClock, freeze, doubtSince];
const OFF_AT_EXECUTION: readonly Look[] = [
  ...ANY_AT_EXECUTION,
  calendar,
  temperature,
  oscillation,
  protectedSites,
  justification,
  notice,
  toggles,
];

/** Why one target is not commanded now, or undefined where it is: nothing is decided on what was so at submission (MC-10). */
export function judgeAtExecution(facts: GuardFacts): Finding | undefined {
  const looks = takesOff(directionOf(facts.request.operation)) ? OFF_AT_EXECUTION : ANY_AT_EXECUTION;
  for (const look of looks) {
    const finding = look(facts).find(({ effect }) => effect !== "warn");
    if (finding !== undefined) return finding;
  }
  return undefined;
}

/** Whether a finding no longer counts, because somebody else has answered for it. */
export function isWaived({ rule, effect }: Finding, waived: ReadonlySet<string>): boolean {
  return effect === "quarantine" && MC_RULES[rule].releasable && waived.has(rule);
}
