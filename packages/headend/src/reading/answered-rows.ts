import type { MeterProfile } from "../profile/meter-profile.ts";
import type { Stretch } from "./coverage.ts";
import { intervalCount } from "./coverage.ts";
import type { IntervalRecord, LackingStretch } from "./result.ts";

/** What an answer says of a stretch of the load profile. */
export interface AnsweredRows {
  /** As far as the meter could know of it. */
  readonly stretch: Stretch;
  /** Intervals of it without a value, by channel. */
  readonly lacking: readonly LackingStretch[];
  /** Where rows are absent up to one that says that power came back. */
  readonly outages: readonly Stretch[];
}

interface Row {
  readonly at: number;
  readonly intervals: readonly Pick<IntervalRecord, "obis" | "status">[];
}

/**
 * Judges the rows that answered the question for `asked`. A meter knows nothing of intervals that end after `settledTo` by its
 * own clock: the stretch ends there, or with the newest row if that is later; where the clock did not say what time it is, with the
 * newest row. Undefined where nothing of the stretch is left.
 */
export function answeredRows(
  rows: readonly Row[],
  asked: Stretch,
  profile: Pick<MeterProfile["loadProfile"], "periodSeconds" | "columns" | "powerBackBit">,
  settledTo: number | undefined,
): AnsweredRows | undefined {
  const period = profile.periodSeconds * 1000;
  const found = rowsWithin(rows, asked, period, settledTo);
  if (found === undefined) return undefined;
  const { within, stretch } = found;
  const channels = profile.columns.flatMap((column) => (typeof column === "string" ? [] : [column.obis]));
  const isWhole =
    within.length === intervalCount([stretch], profile.periodSeconds) &&
    within.every(({ intervals }, n) => intervals.length === channels.length && within[n - 1]?.at !== within[n]?.at);
  if (isWhole) return { stretch, lacking: [], outages: [] };
  const lacking = channels.flatMap((obis) => {
    const held = within.filter(({ intervals }) => intervals.some((interval) => interval.obis === obis));
    return between(stretch, period, held).map((hole) => ({ obis, ...hole }));
  });
  const powerBack = new Set(
    within
      .filter(({ intervals }) => ((intervals[0]?.status ?? 0) & (1 << profile.powerBackBit)) !== 0)
      .map(({ at }) => at - period),
  );
  return { stretch, lacking, outages: between(stretch, period, within).filter(({ to }) => powerBack.has(to)) };
}

/** The same of a profile whose columns its meter tells itself: an interval that has a row lacks nothing. */
export function answeredIntervals(
  rows: readonly Pick<Row, "at">[],
  asked: Stretch,
  periodSeconds: number,
  settledTo: number | undefined,
): { readonly stretch: Stretch; readonly lacking: readonly Stretch[] } | undefined {
  const period = periodSeconds * 1000;
  const found = rowsWithin(rows, asked, period, settledTo);
  return found && { stretch: found.stretch, lacking: between(found.stretch, period, found.within) };
}

/** The rows of intervals that were asked for, and as far as the meter could know of those. */
function rowsWithin<Found extends Pick<Row, "at">>(
  rows: readonly Found[],
  asked: Stretch,
  period: number,
  settledTo: number | undefined,
): { readonly within: readonly Found[]; readonly stretch: Stretch } | undefined {
  const within = rows.filter(({ at }) => at > asked.from && at <= asked.to && at % period === 0);
  const newest = within.reduce((last, { at }) => Math.max(last, at), Number.NEGATIVE_INFINITY);
  const known = Math.max(newest, settledTo === undefined ? newest : Math.floor(settledTo / period) * period);
  const stretch = { from: asked.from, to: Math.min(asked.to, known) };
  return stretch.to <= stretch.from ? undefined : { within, stretch };
}

/** Runs of intervals of the stretch that end at no row. */
function between(stretch: Stretch, period: number, rows: readonly Pick<Row, "at">[]): readonly Stretch[] {
  const held = new Set(rows.map(({ at }) => at));
  const holes: Stretch[] = [];
  let from: number | undefined;
  const first = Math.floor(stretch.from / period) * period + period;
  for (let at = first; at <= stretch.to; at += period) {
    if (!held.has(at)) from ??= at - period;
    else if (from !== undefined) {
      holes.push({ from, to: at - period });
      from = undefined;
    }
  }
  if (from !== undefined) holes.push({ from, to: Math.floor(stretch.to / period) * period });
  return holes;
}
