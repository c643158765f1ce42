/** How far a meter's clock may be off, and what follows (reference: head-end specifics, clock). Offsets in seconds. */
export const CLOCK_LIMITS = { ignoreSeconds: 5, adjustSeconds: 60, setSeconds: 900 } as const;

export type ClockVerdict = "in-time" | "adjust" | "set" | "incident";

export interface ClockCheck {
  /** Meter minus reference, seconds; positive is fast. */
  readonly offsetSeconds: number;
  /** The same, less what the exchange itself may have taken of it. */
  readonly certainSeconds: number;
  readonly verdict: ClockVerdict;
  readonly sentence: string;
}

/**
 * Judges a clock read between `sent` and `received` (instants at the source): the meter's answer is compared with the
 * middle of the two. A faster source clock stretches the wall time of the exchange, so the tolerance grows by half the
 * exchange as the source saw it.
 */
export function checkClock(meter: number, sent: number, received: number): ClockCheck {
  const offsetSeconds = (meter - (sent + received) / 2) / 1000;
  const slackSeconds = (received - sent) / 2000;
  const off = Math.max(0, Math.abs(offsetSeconds) - slackSeconds);
  const verdict = verdictFor(off);
  const certainSeconds = off === 0 ? 0 : Math.sign(offsetSeconds) * off;
  return { offsetSeconds, certainSeconds, verdict, sentence: sentenceFor(verdict, offsetSeconds) };
}

/** Whether a clock that is off by so much is to be set: what it has dated meanwhile is not known to be of that time. */
export function isMisdating(offSeconds: number): boolean {
  return Math.abs(offSeconds) > CLOCK_LIMITS.adjustSeconds;
}

/** Whether it has been moved rather than drifted. */
export function isIncident(offSeconds: number): boolean {
  return Math.abs(offSeconds) > CLOCK_LIMITS.setSeconds;
}

function verdictFor(offSeconds: number): ClockVerdict {
  if (offSeconds <= CLOCK_LIMITS.ignoreSeconds) return "in-time";
  if (offSeconds <= CLOCK_LIMITS.adjustSeconds) return "adjust";
  return offSeconds <= CLOCK_LIMITS.setSeconds ? "set" : "incident";
}

function sentenceFor(verdict: ClockVerdict, offsetSeconds: number): string {
  const size = Math.abs(offsetSeconds) < 10 ? offsetSeconds.toFixed(1) : offsetSeconds.toFixed(0);
  const off = `The clock is ${size.replace("-", "")} s ${offsetSeconds < 0 ? "slow" : "fast"}`;
  switch (verdict) {
    case "in-time":
      return `${off}, which is within ${CLOCK_LIMITS.ignoreSeconds} s`;
    case "adjust":
      return `${off}; a small adjustment is due`;
    case "set":
      return `${off}; it has to be set`;
    case "incident":
      return `${off}: more than ${CLOCK_LIMITS.setSeconds} s is an incident, not an adjustment`;
    default:
      return verdict satisfies never;
  }
}
