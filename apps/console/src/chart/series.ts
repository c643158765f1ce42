/** One line or one row of bars of a chart, as the pages ask for it. */
export interface PlotSeries {
  readonly label: string;
  /** Name of a palette variable without its dashes, for example `accent`. */
  readonly tone: string;
  readonly widthPx: number;
  readonly dash?: readonly number[];
  readonly filled?: boolean;
  /** A bar for each point, plain or hatched, instead of a line. */
  readonly bars?: "plain" | "hatched";
  /** Written at the end of the line. */
  readonly directLabel?: boolean;
}
