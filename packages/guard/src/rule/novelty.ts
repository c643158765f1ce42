import type { Operation } from "../operation/operation.ts";
import { commandRulesOf } from "../threshold/thresholds.ts";
import type { Finding, GuardFacts, PrincipalFacts } from "./facts.ts";
import { aboutRequest } from "./finding.ts";

/** Weight of the newest hour in the moving mean. */
const WEIGHT = 0.1;
/** Who has just begun may ask for this many in an hour before it is new. */
const ORDINARY = 10;
/** As long before or after an hour of theirs is still their shift. */
const SHIFT_HOURS = 3;
/** Fewer hours than this are no habit. */
const HABIT_HOURS = 5;

/** MC-16: more than somebody ever asked for, or for the first time this. Reading is what a head-end does all day. */
export function novelty({ now, thresholds, request, principal }: GuardFacts): Finding[] {
  if (isReading(request.operation)) return [];
  const { noveltySigmas } = commandRulesOf(thresholds);
  const findings: Finding[] = [];
  const most = usualMost(principal.hours, noveltySigmas);
  const asked = principal.thisHour + request.targets.length;
  if (asked > most)
    findings.push(
      aboutRequest(
        "MC-16",
        "quarantine",
        `${request.requester} asks for ${asked} meters in this hour, and ${Math.floor(most)} would be usual`,
        request,
      ),
    );
  const name = request.asked ?? request.operation.kind;
  const isHabitual = principal.hours.length >= HABIT_HOURS;
  if (isHabitual && principal.operations.size > 0 && !principal.operations.has(name))
    findings.push(
      aboutRequest(
        "MC-16",
        request.targets.length > 1 ? "quarantine" : "warn",
        `${request.requester} has not asked for "${name}" in 28 days`,
        request,
      ),
    );
  const { network, networks, hoursOfDay } = principal;
  if (isHabitual && network !== "" && networks.size > 0 && !networks.has(network))
    findings.push(strange(request, `${request.requester} asks from ${network}, for the first time in 28 days`));
  const hour = new Date(now).getUTCHours();
  if (isHabitual && hoursOfDay.size > 0 && ![...hoursOfDay].some((known) => hoursApart(known, hour) <= SHIFT_HOURS))
    findings.push(
      strange(request, `${request.requester} asks at ${hour}:00 UTC, hours away from any of theirs in 28 days`),
    );
  return findings;
}

/** One meter may be an exception; many are looked at by somebody else. */
function strange(request: GuardFacts["request"], sentence: string): Finding {
  return aboutRequest("MC-16", request.targets.length > 1 ? "quarantine" : "warn", sentence, request);
}

/** Hours between two hours of the day, the shorter way round. */
function hoursApart(one: number, other: number): number {
  const apart = Math.abs(one - other);
  return Math.min(apart, 24 - apart);
}

/** Nothing is asked of a meter but what it says. */
function isReading(operation: Operation): boolean {
  return operation.kind === "acts" && operation.acts.length === 0;
}

/** Mean and so many standard deviations of one's own hours, exponentially weighted, oldest first. */
export function usualMost(hours: PrincipalFacts["hours"], sigmas: number): number {
  let [mean, variance] = [hours[0] ?? 0, 0];
  for (const count of hours.slice(1)) {
    const difference = count - mean;
    mean += WEIGHT * difference;
    variance = (1 - WEIGHT) * (variance + WEIGHT * difference * difference);
  }
  return Math.max(ORDINARY, mean + sigmas * Math.sqrt(variance));
}
