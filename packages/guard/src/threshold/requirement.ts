import { seenName } from "../approval/same-person.ts";
import type { ManifestHeader } from "../manifest/header.ts";
import { isRestoring, takesOff } from "../operation/direction.ts";
import { classOf, directionOf } from "../operation/operation.ts";
import { isGrave } from "../rule/doubt.ts";
import { FIRST_WAVES, isWatched, soakOf } from "../rule/plan.ts";
import { commandRulesOf, type Thresholds } from "./thresholds.ts";

/** Who must have approved. */
export interface Requirement {
  /** Distinct people, none of whom asked for it. */
  readonly people: number;
  /** Two people come with two sets of roles (MC-07). */
  readonly differentRoles: boolean;
}

/** What of a manifest's header decides who must approve it. */
export type Asked = Pick<ManifestHeader, "operation" | "targets" | "dispersion" | "waves" | "workOrder" | "doubted">;

/**
 * How many people a manifest needs, by what it does, on how many meters, whether some of them are not believed, and whether they
 * could all fall at once, unwatched or unordered.
 */
export function requirementOf(asked: Asked, thresholds: Thresholds): Requirement {
  const { operation, targets } = asked;
  const usual = peopleFor(classOf(operation), directionOf(operation), targets, thresholds.approvals);
  const people = (asked.doubted ?? 0) > 0 && isGrave(operation) ? usual + 1 : usual;
  const isHasty = fallTogether(asked, thresholds) || goUnwatched(asked, thresholds) || isUnordered(asked);
  return requirement(isHasty ? Math.max(people, thresholds.approvals.breakGlass) : people);
}

/** MC-12: whether several meters are switched off without the delays that the rules want. */
function fallTogether({ operation, targets, dispersion }: Asked, thresholds: Thresholds): boolean {
  if (!takesOff(directionOf(operation)) || targets < 2) return false;
  const { meanSeconds, capSeconds } = commandRulesOf(thresholds).dispersion;
  return dispersion.kind !== "geometric" || dispersion.meanSeconds < meanSeconds || dispersion.capSeconds < capSeconds;
}

/** MC-13: whether what switches, or new firmware, comes to many without the waves of the rules, each watched as long as they want. */
function goUnwatched({ operation, targets, waves }: Asked, thresholds: Thresholds): boolean {
  if (targets < 2 || !isWatched(operation)) return false;
  const soak = soakOf(operation, commandRulesOf(thresholds).soakSeconds);
  const isTooLarge = FIRST_WAVES.some((most, at) => (waves[at]?.targets ?? 0) > most);
  return isTooLarge || waves.slice(0, -1).some(({ soakSeconds }) => soakSeconds < soak);
}

/** MC-10: whether something is taken off behind which no work order stands: the grid's own call, which three people answer for. */
function isUnordered({ operation, workOrder }: Asked): boolean {
  return takesOff(directionOf(operation)) && workOrder === "";
}

/** A requirement of so many people. */
export function requirement(people: number): Requirement {
  return { people, differentRoles: people > 1 };
}

function peopleFor(
  commandClass: ReturnType<typeof classOf>,
  direction: ReturnType<typeof directionOf>,
  targets: number,
  approvals: Thresholds["approvals"],
): number {
  if (isRestoring(direction)) return approvals.reconnect;
  if (takesOff(direction)) return targets > approvals.offFew ? approvals.offBatch : approvals.off;
  if (commandClass === "C0" || commandClass === "C1") return approvals.c1;
  return targets > 1 ? approvals.c2Batch : approvals.c2;
}

/** Somebody whose approval has been verified. */
export interface Approving {
  /** The person, whatever key was used. */
  readonly name: string;
  readonly roles: readonly string[];
}

/** What is missing before a requirement is met; undefined where nothing is. People count once, the requester never. */
export function missingFor(
  { people, differentRoles }: Requirement,
  approving: readonly Approving[],
  requester: string,
): string | undefined {
  const others = new Map(
    approving.filter(({ name }) => seenName(name) !== seenName(requester)).map((one) => [seenName(one.name), one]),
  );
  if (others.size < people) return `${others.size} of ${people} people have approved, the requester not among them`;
  const sets = new Set([...others.values()].map(({ roles }) => [...roles].sort().join()));
  return differentRoles && sets.size < 2 ? "those who approved all have the same roles" : undefined;
}
