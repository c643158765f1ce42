/** A meter's intervals as the chart draws them: full bars for what decisions may use, hollow ones for the rest. Pure. */
import type { PowerPoint } from "../chart/power-series.ts";
import { counted } from "../format/quantity.ts";

export interface IntervalBars {
  readonly times: readonly number[];
  readonly decisive: readonly (number | null)[];
  readonly excluded: readonly (number | null)[];
}

export function intervalBars(points: readonly PowerPoint[]): IntervalBars {
  return {
    times: points.map(({ time }) => time),
    decisive: points.map(({ powerW, decisive }) => (decisive ? powerW : null)),
    excluded: points.map(({ powerW, decisive }) => (decisive ? null : powerW)),
  };
}

/** How many of the shown intervals decisions may use, in a sentence. */
export function decisiveSentence(points: readonly PowerPoint[]): string {
  const decisive = points.filter((point) => point.decisive).length;
  if (points.length === 0) return "";
  if (decisive === points.length) return `Decisions may use all ${counted(points.length, "interval")}.`;
  if (decisive === 0) return `Decisions may use none of these ${counted(points.length, "interval")}.`;
  return `Decisions may use ${decisive} of these ${counted(points.length, "interval")}.`;
}
