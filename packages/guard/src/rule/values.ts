import { dataIn } from "../data-in.ts";
import { MOST_CLOCK_SECONDS } from "../effect.ts";
import { actsOf, type Operation } from "../operation/operation.ts";
import { commandRulesOf, type Thresholds } from "../threshold/thresholds.ts";
import type { Finding, GuardFacts } from "./facts.ts";
import { aboutMeters, aboutRequest } from "./finding.ts";

/** Blue Book 4.5.9 and 4.4.8: what of a limiter and of a push setup is bounded. */
const LIMITER = { classId: 71, thresholds: [4, 5] } as const;
const PUSH_SETUP = { classId: 40, destinationAndMethod: 3 } as const;

/** MC-21: bounds of what is written. A limiter's threshold is in the unit of what it monitors: watts, as this head-end asks. */
export function valueBounds({ thresholds, request }: GuardFacts): Finding[] {
  const { operation, targets } = request;
  const problem = valueProblem(operation, thresholds);
  if (problem !== undefined) return [aboutRequest("MC-21", "stop", problem, request)];
  if (operation.kind !== "limiter-threshold") return [];
  const { threshold } = operation;
  return aboutMeters(
    "MC-21",
    targets.filter(({ account }) => account?.contractW !== undefined && threshold > account.contractW),
    (count) => `${count} whose contract grants less than ${threshold} W`,
  );
}

/**
 * What is wrong with the values of an operation on any meter, whatever its contract; undefined where nothing is. It looks at
 * the octets, so that an operation that is spelled out is bounded as one that has a name. The custodian asks this as well.
 */
export function valueProblem(operation: Operation, thresholds: Thresholds): string | undefined {
  const { limiterLeastW, pushDestinations } = commandRulesOf(thresholds);
  for (const { classId, member, service, value } of actsOf(operation)) {
    if (service !== "set") continue;
    if (value.kind === "time-now" && value.toleranceSeconds > MOST_CLOCK_SECONDS)
      return `a tolerance of ${value.toleranceSeconds} s lets the clock be set by more than ${MOST_CLOCK_SECONDS} s`;
    if (value.kind !== "exact") continue;
    if (classId === LIMITER.classId && (LIMITER.thresholds as readonly number[]).includes(member)) {
      const threshold = numberIn(value.octets);
      if (threshold === undefined || threshold < limiterLeastW)
        return `${threshold ?? "what is no number"} W is less than ${limiterLeastW} W to live on`;
    }
    // Without a list it is the head-end's own destinations that the operation itself holds to.
    if (classId === PUSH_SETUP.classId && member === PUSH_SETUP.destinationAndMethod && pushDestinations.length > 0) {
      const destination = destinationIn(value.octets);
      if (destination === undefined || !pushDestinations.includes(destination))
        return `${destination ?? "what is no destination"} is not on the list of destinations`;
    }
  }
  return undefined;
}

function numberIn(octets: string): number | undefined {
  const read = dataIn(octets);
  return read !== undefined && "value" in read && typeof read.value === "number" ? read.value : undefined;
}

function destinationIn(octets: string): string | undefined {
  const read = dataIn(octets);
  if (read?.type !== "structure") return undefined;
  const [, destination] = read.value;
  return destination?.type === "octet-string" ? new TextDecoder().decode(destination.value) : undefined;
}
