/** The value below which that share of the values lies, to a hundredth. */
export function percentile(values: readonly number[], share: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(2);
}

/** A rate for a column. */
export function perSecond(value: number): string {
  return Math.round(value).toLocaleString("en").padStart(9);
}
