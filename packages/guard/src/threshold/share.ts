import { type FieldValue, object, optional, whole } from "../canonical/field.ts";

/** Where nobody said another one: a tenth of a fleet, so that no floor allows a quarter of a small town. */
const CEILING_PERMYRIAD = 1_000;

/** A share of a fleet: never fewer than its floor, never more than its ceiling. */
export const share = object({
  /** Hundredths of a percent. */
  permyriad: whole(0, 10_000),
  /** The number below which the share does not push it. */
  floor: whole(0, 1_000_000),
  /** Hundredths of a percent that the floor does not go beyond, though one meter is always possible. 1 000 unless given. */
  ceilingPermyriad: optional(whole(1, 10_000)),
});
export type Share = FieldValue<typeof share>;

/** So many hundredths of a percent, at least so many meters, at most the ceiling. */
export function shareOf(permyriad: number, floor: number, ceilingPermyriad?: number): Share {
  return { permyriad, floor, ceilingPermyriad };
}

/** How many of a fleet that share is. */
export function capOf({ permyriad, floor, ceilingPermyriad = CEILING_PERMYRIAD }: Share, fleet: number): number {
  const wanted = Math.max(floor, Math.floor((fleet * permyriad) / 10_000));
  return Math.min(wanted, Math.max(1, Math.floor((fleet * ceilingPermyriad) / 10_000)));
}

/** Whether a share allows no more than another, whatever the fleet. */
export function isShareNotLooser(next: Share, now: Share): boolean {
  return (
    next.permyriad <= now.permyriad &&
    next.floor <= now.floor &&
    (next.ceilingPermyriad ?? CEILING_PERMYRIAD) <= (now.ceilingPermyriad ?? CEILING_PERMYRIAD)
  );
}
