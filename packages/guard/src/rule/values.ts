import { commandRulesOf } from "../threshold/thresholds.ts";
import type { Finding, GuardFacts } from "./facts.ts";
import { aboutMeters, aboutRequest } from "./finding.ts";

const MOST_CLOCK_SECONDS = 60;

/** MC-21: bounds of what is written. A limiter's threshold is in the unit of what it monitors: watts, as this head-end asks. */
export function valueBounds({ thresholds, request }: GuardFacts): Finding[] {
  const { operation, targets } = request;
  const { limiterLeastW, pushDestinations } = commandRulesOf(thresholds);
  switch (operation.kind) {
    case "limiter-threshold": {
      const { threshold } = operation;
      if (threshold < limiterLeastW)
        return [aboutRequest("MC-21", "stop", `${threshold} W is less than ${limiterLeastW} W to live on`, request)];
      return aboutMeters(
        "MC-21",
        targets.filter(({ account }) => account?.contractW !== undefined && threshold > account.contractW),
        (count) => `${count} whose contract grants less than ${threshold} W`,
      );
    }
    case "clock":
      return operation.toleranceSeconds > MOST_CLOCK_SECONDS
        ? [
            aboutRequest(
              "MC-21",
              "stop",
              `a tolerance of ${operation.toleranceSeconds} s lets the clock be set by more than ${MOST_CLOCK_SECONDS} s`,
              request,
            ),
          ]
        : [];
    case "push-destination":
      // Without a list it is the head-end's own destinations that the operation itself holds to.
      return pushDestinations.length === 0 || pushDestinations.includes(operation.destination)
        ? []
        : [aboutRequest("MC-21", "stop", `${operation.destination} is not on the list of destinations`, request)];
    default:
      return [];
  }
}
