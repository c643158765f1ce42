import { bell, derive } from "../noise.ts";
import { INTERVAL_SECONDS, type UnixSeconds } from "../time/calendar.ts";

/** Minutes of a quarter hour. */
export const MINUTES = 15;
/** How many ways there are to spread a quarter hour's energy over its minutes. Few, so that a transformer can add up thousands of homes by pattern. */
export const PATTERNS = 16;

const patterns = Array.from({ length: PATTERNS }, (_, pattern) => {
  const seed = derive(0x315e, pattern);
  const weights = Array.from({ length: MINUTES }, (_, minute) => 1 + 0.16 * bell(seed, minute));
  const sum = weights.reduce((a, b) => a + b, 0);
  return Float64Array.from(weights, (w) => w / sum);
});

/** Share of the quarter hour's energy that falls into one minute of the pattern; the shares of a pattern add up to 1. */
export function minuteShare(pattern: number, minute: number): number {
  return patterns[pattern]?.[minute] ?? 0;
}

/** Which pattern a meter follows in an interval. */
export function patternOf(meterSeed: number, interval: number): number {
  return derive(meterSeed, interval) % PATTERNS;
}

/** Share of the interval's energy used up to the instant: 0 at its start, exactly 1 at its end. */
export function shareUntil(pattern: number, interval: number, at: UnixSeconds): number {
  const seconds = at - interval * INTERVAL_SECONDS;
  if (seconds <= 0) return 0;
  if (seconds >= INTERVAL_SECONDS) return 1;
  const minute = Math.floor(seconds / 60);
  let share = 0;
  for (let m = 0; m < minute; m++) share += minuteShare(pattern, m);
  return share + (minuteShare(pattern, minute) * (seconds - minute * 60)) / 60;
}
