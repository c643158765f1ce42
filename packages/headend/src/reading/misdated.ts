import { type ClockCheck, isIncident, isMisdating } from "../time/clock-check.ts";
import type { Stretch } from "./coverage.ts";
import type { IntervalRecord, MisdatedStretch, QualityRecord, RegisterRecord } from "./result.ts";

/** Behind or before a moment by so little, milliseconds: clocks of meters show hundredths of a second at the finest. */
const JUST = 1;

/** What came of a meter whose clock was looked at in the same session. */
interface Dated {
  readonly intervals: readonly Pick<IntervalRecord, "at">[];
  /** Of the profile that the intervals are from. */
  readonly periodSeconds: number;
  readonly registers: readonly Pick<RegisterRecord, "at">[];
  readonly quality: readonly Pick<QualityRecord, "at">[];
  /** Of the profile of power quality; absent where the meter has none. */
  readonly qualitySeconds: number | undefined;
  /** What the meter's clock showed when it was looked at, milliseconds since 1970 UTC. */
  readonly clockShown: number | undefined;
}

/**
 * P-8: the stretches that a meter dated by a clock that is off by more than is let be. Since when it has been off, nobody knows: all
 * that came with it is dated by it, for all that is known. Told apart are intervals, registers of other times (of the
 * ends of days), and the moment of the reading itself, since what lies between them was read at another time.
 */
export function misdatedBy(
  check: Pick<ClockCheck, "certainSeconds" | "offsetSeconds"> | undefined,
  { intervals, periodSeconds, registers, quality, qualitySeconds = 0, clockShown }: Dated,
): readonly MisdatedStretch[] {
  if (check === undefined || !isMisdating(check.certainSeconds)) return [];
  const earlier = registers.filter(({ at }) => at !== clockShown);
  const ofNow = registers.filter(({ at }) => at === clockShown);
  // A finding is known by its rule, its meter and when it begins. One of a push begins with an interval (push-reading.ts); if
  // another began there as well, the shorter could stand for the longer. So intervals begin just behind, and moments just before.
  const stretches = [span(intervals, JUST - periodSeconds * 1000), span(earlier, -JUST), span(ofNow, -JUST)];
  const { offsetSeconds, certainSeconds } = check;
  const off = { offsetSeconds, isIncident: isIncident(certainSeconds) };
  const found = stretches.flatMap((stretch) => (stretch === undefined ? [] : [{ ...stretch, ...off }]));
  // Power quality comes a day at a time, intervals of that day came before: only its own rows are in doubt.
  const ofQuality = span(quality, 2 * JUST - qualitySeconds * 1000);
  return ofQuality === undefined ? found : [...found, { ...ofQuality, ...off, concerns: "quality" }];
}

function span(records: readonly { readonly at: number }[], before: number): Stretch | undefined {
  if (records.length === 0) return undefined;
  const [first, last] = records.reduce(([least, most], { at }) => [Math.min(least, at), Math.max(most, at)] as const, [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ] as const);
  return { from: first + before, to: last };
}
