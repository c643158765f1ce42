/** A day's total that is remembered. */
export interface DayTotal {
  /** Start of the day, milliseconds since 1970. */
  readonly day: number;
  /** Wh drawn less fed in. */
  readonly wattHours: number;
}

/** Sums of a regression that forgets: `y` over `x`. */
export interface Regression {
  readonly n: number;
  readonly x: number;
  readonly y: number;
  readonly xx: number;
  readonly xy: number;
  readonly yy: number;
}

/** What is remembered of a meter from day to day: some forty numbers beside the totals of 28 days. */
export interface MeterHistory {
  /** The last day that was judged. */
  readonly day: number;
  /** What its registers stood at at the end of that day, Wh. */
  readonly drawnAt?: number;
  readonly fedAt?: number;
  readonly totals: readonly DayTotal[];
  /** Length of the run of zeros that was going on, in intervals, and the longest of each month that is over: two of them. */
  readonly zeroRun: number;
  readonly longestZeroRuns: readonly { readonly from: number; readonly intervals: number }[];
  /** Days of the last 28 with equal values in a row, and how many at most. */
  readonly flatRuns?: readonly { readonly day: number; readonly intervals: number }[];
  /** The smallest steps in which its values were ever told, Wh. */
  readonly stepWh?: number;
  /** Spread of the energy of an interval, Wh². */
  readonly variance: number;
  /** Whether it has ever fed in. */
  readonly feeds: boolean;
  /** How much higher its voltage is than the transformer's median, V, by a slow mean. */
  readonly voltageOffset?: number;
  /** Fall of voltage over power, forgotten in 14 and in 90 days. */
  readonly drop: { readonly fast: Regression; readonly slow: Regression };
}

/** What is remembered of a transformer. */
export interface TransformerHistory {
  readonly day: number;
  /** How far what it gives exceeds what its meters take: sum of shares beyond a hundredth, never below zero. */
  readonly excess: number;
  /** Losses over the square of what it gives. */
  readonly losses: Regression;
}

export const NO_REGRESSION: Regression = { n: 0, x: 0, y: 0, xx: 0, xy: 0, yy: 0 };

export const NO_HISTORY: MeterHistory = {
  day: Number.NEGATIVE_INFINITY,
  totals: [],
  zeroRun: 0,
  longestZeroRuns: [],
  variance: 0,
  feeds: false,
  drop: { fast: NO_REGRESSION, slow: NO_REGRESSION },
};

export const NO_TRANSFORMER_HISTORY: TransformerHistory = {
  day: Number.NEGATIVE_INFINITY,
  excess: 0,
  losses: NO_REGRESSION,
};

/** Adds a point; `keeps` is how much of what was before is left. */
export function withPoint(of: Regression, x: number, y: number, keeps: number): Regression {
  return {
    n: of.n * keeps + 1,
    x: of.x * keeps + x,
    y: of.y * keeps + y,
    xx: of.xx * keeps + x * x,
    xy: of.xy * keeps + x * y,
    yy: of.yy * keeps + y * y,
  };
}

/** Slope, start and how much of the spread of `y` it explains; undefined where there is too little to tell. */
export function lineOf({
  n,
  x,
  y,
  xx,
  xy,
  yy,
}: Regression): { readonly slope: number; readonly start: number; readonly explained: number } | undefined {
  const [varX, cov, varY] = [xx - (x * x) / n, xy - (x * y) / n, yy - (y * y) / n];
  if (!(n > 1) || varX <= 1e-9 * xx || varY <= 1e-9 * yy) return undefined;
  const slope = cov / varX;
  return { slope, start: (y - slope * x) / n, explained: (cov * cov) / (varX * varY) };
}

/** The median; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
