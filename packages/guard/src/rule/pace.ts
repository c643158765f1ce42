import { classOf } from "../operation/operation.ts";
import { commandRulesOf, type Thresholds } from "../threshold/thresholds.ts";
import { isOffAllowed } from "./calendar.ts";
import type { Finding, GuardFacts, TargetFacts } from "./facts.ts";
import { aboutMeters, aboutRequest } from "./finding.ts";

const MINUTE = 60_000;

/** MC-05: meters that were switched too recently or too often. */
export function toggles({ now, thresholds, request: { targets } }: GuardFacts): Finding[] {
  const { toggleMinutes, togglesPerDay } = thresholds;
  const isTooSoon = ({ lastSwitchedAt, switchedToday }: TargetFacts): boolean =>
    switchedToday >= togglesPerDay || (lastSwitchedAt !== undefined && now - lastSwitchedAt < toggleMinutes * MINUTE);
  return aboutMeters(
    "MC-05",
    targets.filter(isTooSoon),
    (count) => `${count} switched less than ${toggleMinutes} minutes ago, or ${togglesPerDay} times in 24 hours`,
  );
}

/** MC-06: a fleet that is switched off and on in turns. */
export function oscillation({ thresholds, fleet, request }: GuardFacts): Finding[] {
  const { signChanges } = commandRulesOf(thresholds);
  return fleet.signChanges > signChanges
    ? [
        aboutRequest(
          "MC-06",
          "stop",
          `${fleet.signChanges} changes between off and on in five minutes, more than ${signChanges}: nothing is switched off`,
          request,
        ),
      ]
    : [];
}

/** MC-08: meters' clocks are moved to the time of this head-end, which has to be one that can be believed. */
export function ownClock({ fleet, request }: GuardFacts): Finding[] {
  const { kind } = request.operation;
  if (fleet.clockTrouble === undefined || (kind !== "clock" && kind !== "clock-shift")) return [];
  return [aboutRequest("MC-08", "stop", `no clock is moved by ours: ${fleet.clockTrouble}`, request)];
}

/** MC-08: the hour, the day, the work order's day, and whether the clock can be believed. */
export function calendar({ now, thresholds, fleet, request }: GuardFacts): Finding[] {
  const findings: Finding[] = [];
  if (fleet.clockTrouble !== undefined) findings.push(aboutRequest("MC-08", "stop", fleet.clockTrouble, request));
  const { workOrder, notBefore, reason } = request;
  const at = Math.max(now, notBefore);
  if (workOrder !== undefined && (at < workOrder.notBefore || at >= workOrder.notAfter))
    findings.push(aboutRequest("MC-08", "stop", `work order ${workOrder.id} is not for that day`, request));
  const problem = calendarProblem(reason, thresholds, at);
  if (problem !== undefined) findings.push(aboutRequest("MC-08", "stop", problem, request));
  return findings;
}

/**
 * Why nothing is taken off for a reason at a moment; undefined where it may be. The reason begins with its word, as people sign
 * it: whoever says safety or grid waits for no hour, and nothing becomes urgent by being called an emergency. The custodian asks
 * this too, by its own clock.
 */
export function calendarProblem(reason: string, thresholds: Thresholds, at: number): string | undefined {
  const { calendar: hours } = commandRulesOf(thresholds);
  const [word = ""] = reason.split(":", 1);
  if (WITHOUT_NOTICE.has(word) || isOffAllowed(hours, at)) return undefined;
  return `nobody is switched off at ${new Date(at).toISOString()} (${hours.zone})`;
}

/** MC-19: everything critical is frozen. What only reads or configures goes on, as at the custodian: somebody has to look. */
export function freeze({ fleet, request }: GuardFacts): Finding[] {
  if (fleet.frozen === undefined || classOf(request.operation) < "C2") return [];
  return [aboutRequest("MC-19", "stop", `frozen: ${fleet.frozen}`, request)];
}

/** MC-18: the very same, while it is still under way. */
export function repetition({ request }: GuardFacts): Finding[] {
  return request.sameAs === undefined
    ? []
    : [aboutRequest("MC-18", "stop", `campaign ${request.sameAs} asks for the same and is not over`, request)];
}

/** Reasons that wait for no hour and no notice. */
export const WITHOUT_NOTICE: ReadonlySet<string> = new Set(["safety", "grid"]);
