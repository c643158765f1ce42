/** A wall clock that differs by more from the monotonic one was set. */
export const MOST_JUMP_MILLISECONDS = 60_000;

/**
 * The wall clock for as long as the monotonic one agrees that time has passed like this, and from a leap on the monotonic one, in
 * milliseconds since 1970. What is written by it never has a time that somebody has set while the process ran: the next start
 * finds out what the wall clock says, and what was written (MC-08).
 */
export function steadyClock(wall: () => number, monotonic: () => number): () => number {
  const [wallAtStart, monotonicAtStart] = [wall(), monotonic()];
  return () => {
    const now = wall();
    const expected = wallAtStart + monotonic() - monotonicAtStart;
    return Math.abs(now - expected) > MOST_JUMP_MILLISECONDS ? Math.floor(expected) : now;
  };
}
