import type { ManifestHeader } from "../manifest/header.ts";
import { classOf, directionOf } from "../operation/operation.ts";
import { commandRulesOf, type Thresholds } from "./thresholds.ts";

/** Who must have approved. */
export interface Requirement {
  /** Distinct people, none of whom asked for it. */
  readonly people: number;
  /** Two people come with two sets of roles (MC-07). */
  readonly differentRoles: boolean;
}

/** What of a manifest's header decides who must approve it. */
export type Asked = Pick<ManifestHeader, "operation" | "targets" | "dispersion">;

/** How many people a manifest needs, by what it does, on how many meters, and whether they could all fall at once. */
export function requirementOf(asked: Asked, thresholds: Thresholds): Requirement {
  const { operation, targets } = asked;
  const people = peopleFor(classOf(operation), directionOf(operation), targets, thresholds.approvals);
  return requirement(fallTogether(asked, thresholds) ? Math.max(people, thresholds.approvals.breakGlass) : people);
}

/** MC-12: whether several meters are switched off without the delays that the rules want. */
function fallTogether({ operation, targets, dispersion }: Asked, thresholds: Thresholds): boolean {
  if (directionOf(operation) !== "off" || targets < 2) return false;
  const { meanSeconds, capSeconds } = commandRulesOf(thresholds).dispersion;
  return dispersion.kind !== "geometric" || dispersion.meanSeconds < meanSeconds || dispersion.capSeconds < capSeconds;
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
  if (direction === "on") return approvals.reconnect;
  if (direction === "off") return targets > approvals.offFew ? approvals.offBatch : approvals.off;
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
    approving
      .filter(({ name }) => samePerson(name) !== samePerson(requester))
      .map((one) => [samePerson(one.name), one]),
  );
  if (others.size < people) return `${others.size} of ${people} people have approved, the requester not among them`;
  const sets = new Set([...others.values()].map(({ roles }) => [...roles].sort().join()));
  return differentRoles && sets.size < 2 ? "those who approved all have the same roles" : undefined;
}

function samePerson(name: string): string {
  return name.normalize("NFKC").trim().toLowerCase();
}
