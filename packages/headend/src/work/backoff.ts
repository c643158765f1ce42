/** How long to wait after so many failures in a row: doubling, capped, with jitter over the upper half. */
export interface Backoff {
  readonly firstSeconds: number;
  readonly ceilingSeconds: number;
}

export const SESSION_BACKOFF: Backoff = { firstSeconds: 2, ceilingSeconds: 300 };

/** Seconds to wait; `attempts` counts from 1, `random` is in [0, 1). */
export function backoffSeconds(attempts: number, random: number, backoff: Backoff = SESSION_BACKOFF): number {
  const full = Math.min(backoff.ceilingSeconds, backoff.firstSeconds * 2 ** Math.min(30, Math.max(0, attempts - 1)));
  return full / 2 + (full / 2) * random;
}
