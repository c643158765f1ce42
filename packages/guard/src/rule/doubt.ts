import { isRestoring } from "../operation/direction.ts";
import { classOf, directionOf, type Operation } from "../operation/operation.ts";
import type { Finding, GuardFacts } from "./facts.ts";

/** MC-07: a meter whose answers are not believed gets nothing grave that fewer people than usual and one have looked at. */
export function doubt({ request: { operation, targets } }: GuardFacts): Finding[] {
  const meters = isGrave(operation) ? targets.filter(({ isDoubted }) => isDoubted) : [];
  if (meters.length === 0) return [];
  const who = meters.length === 1 ? "1 meter is" : `${meters.length} meters are`;
  const sentence = `${who} not believed, their trust scores being low: one person more approves`;
  return [{ rule: "MC-07", effect: "warn", about: "request", sentence, meters }];
}

/** MC-07: what people have signed for was believed then. */
export function doubtSince({ request }: GuardFacts): Finding[] {
  const { operation, targets, isDoubtSigned } = request;
  const meters = isGrave(operation) && !isDoubtSigned ? targets.filter(({ isDoubted }) => isDoubted) : [];
  if (meters.length === 0) return [];
  const sentence = "the meter is not believed any more since people signed: ask anew, and one person more approves";
  return [{ rule: "MC-07", effect: "stop", about: "meters", sentence, meters }];
}

/** What is grave, and takes something: giving supply back asks no meter for its reputation. */
export function isGrave(operation: Operation): boolean {
  return classOf(operation) >= "C2" && !isRestoring(directionOf(operation));
}
