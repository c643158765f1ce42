import { type ClockCheck, isIncident, isMisdating } from "../time/clock-check.ts";
import type { Stretch } from "./coverage.ts";

/** Behind or before a moment by so little, milliseconds: clocks of meters show hundredths of a second at the finest. */
const JUST = 1;

/** How far a clock was off, by more than is let be, that has dated what came with it. */
export interface ClockOff {
  /** Meter minus reference. */
  readonly offsetSeconds: number;
  readonly isIncident: boolean;
  /** When that showed, milliseconds since 1970 UTC at the source, as the reference has it. */
  readonly seenAt: number;
}

/** A clock that has dated by so much amiss was set: what it has dated and nobody has read yet looks like all else from then on. */
export interface ClockSet extends ClockOff {
  /** What it showed just before, milliseconds since 1970 UTC. */
  readonly shown: number;
}

/** What follows of having moved a clock that was off by so much, at a moment of the source; undefined where that is let be. */
export function clockSet(offsetSeconds: number, at: number): ClockSet | undefined {
  if (!isMisdating(offsetSeconds)) return undefined;
  const shown = Math.round(at + offsetSeconds * 1000);
  return { offsetSeconds, isIncident: isIncident(offsetSeconds), seenAt: Math.round(at), shown };
}

/** What follows from a look at a meter's clock, which showed `clockShown` (milliseconds since 1970 UTC). */
export function clockOff(check: ClockCheck | undefined, clockShown: number | undefined): ClockOff | undefined {
  if (check === undefined || clockShown === undefined || !isMisdating(check.certainSeconds)) return undefined;
  const { offsetSeconds, certainSeconds } = check;
  const seenAt = Math.round(clockShown - offsetSeconds * 1000);
  return { offsetSeconds, isIncident: isIncident(certainSeconds), seenAt };
}

/**
 * The least stretches that hold what ends at these instants: of a profile with a period what follows upon each other is one, and
 * moments are each their own. What lies between them came another time.
 */
export function stretchesOf(instants: Iterable<number>, periodSeconds: number | undefined): readonly Stretch[] {
  const [first, ...rest] = [...new Set(instants)].sort((one, other) => one - other);
  if (first === undefined) return [];
  const period = periodSeconds === undefined ? JUST : periodSeconds * 1000;
  // Just behind the end of the interval before, where that is one of a period: it is of another.
  const begin = (at: number): number => (period === JUST ? at - JUST : at - period + JUST);
  const stretches: { from: number; to: number }[] = [{ from: begin(first), to: first }];
  for (const at of rest) {
    const last = stretches.at(-1) as { from: number; to: number };
    if (at - last.to <= period) last.to = at;
    else stretches.push({ from: begin(at), to: at });
  }
  return stretches;
}
