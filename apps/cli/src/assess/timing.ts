/** Below this nothing can be measured over a network, in milliseconds. */
const LEAST_DIFFERENCE_MS = 5;
const SPREADS = 3;

/** Two cases that can be told apart by time. */
export interface TimeDifference {
  readonly fast: number;
  readonly slow: number;
  readonly milliseconds: number;
}

/**
 * Compares times of several cases, each measured some times: the medians have to differ by more than a network's
 * noise and by more than the times of one case differ among themselves.
 */
export function timesDiffer(cases: readonly (readonly number[])[]): TimeDifference | undefined {
  const medians = cases.map(median);
  const spread = Math.max(...cases.map(spreadOf));
  const fast = medians.indexOf(Math.min(...medians));
  const slow = medians.indexOf(Math.max(...medians));
  const milliseconds = medians[slow]! - medians[fast]!;
  return milliseconds > Math.max(LEAST_DIFFERENCE_MS, SPREADS * spread) ? { fast, slow, milliseconds } : undefined;
}

export function median(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Half of the distance between the quartiles. */
function spreadOf(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  const quarter = sorted.length >> 2;
  return (sorted[sorted.length - 1 - quarter]! - sorted[quarter]!) / 2;
}
