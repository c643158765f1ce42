/** The stretch of time that a chart shows. It moves with what was measured: time in the town runs a day in minutes. */

const HOUR_MS = 3_600_000;
/** The beginning of what is asked for moves in steps, so that not every new interval asks for all of them again. */
const STEP_MS = 6 * HOUR_MS;

/** Beginning of the span that ends at `endMs`, rounded down, RFC 3339. */
export function spanStart(endMs: number, hours: number): string {
  return new Date(Math.floor((endMs - hours * HOUR_MS) / STEP_MS) * STEP_MS).toISOString();
}

/** The beginning to ask for when the newest point is at `newestMs`: the one at hand while it is near enough. */
export function nextStart(start: string, newestMs: number | undefined, hours: number): string {
  if (newestMs === undefined || newestMs - Date.parse(start) <= hours * HOUR_MS + 2 * STEP_MS) return start;
  return spanStart(newestMs, hours);
}

/** The points of the last `hours` before the newest one; times in s. */
export function lastHours<T extends { readonly time: number }>(points: readonly T[], hours: number): readonly T[] {
  const newest = points.at(-1)?.time;
  return newest === undefined ? points : points.filter(({ time }) => time > newest - hours * 3600);
}
