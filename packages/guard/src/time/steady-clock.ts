/** How far the wall clock may be from what the monotonic one makes of the start: so much at once, and a millisecond more for so many lived. */
const AT_ONCE_MILLISECONDS = 1000;
const LIVED_FOR_ONE = 2000;

/**
 * The wall clock, in milliseconds since 1970, as far as the monotonic one agrees that time has passed like this; it follows one that
 * was set as slowly as clocks are slewed (500 ppm). So what is written never has a time that somebody has set while the process
 * ran, were it by less than is noticed, and the next start finds what is left of it between the wall clock and what was written (MC-08).
 */
export function steadyClock(wall: () => number, monotonic: () => number): () => number {
  const [wallAtStart, monotonicAtStart] = [wall(), monotonic()];
  return () => {
    const lived = monotonic() - monotonicAtStart;
    const expected = wallAtStart + lived;
    const most = AT_ONCE_MILLISECONDS + lived / LIVED_FOR_ONE;
    return Math.floor(Math.min(expected + most, Math.max(expected - most, wall())));
  };
}
