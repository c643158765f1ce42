import { DAY_MILLISECONDS } from "../time/day.ts";

/**
 * Which stretches of a meter's profile have been read. Desired state is a window; what is missing is the window less what
 * is covered. An interval stands for `(end - period, end]`, so a stretch `(from, to]` holds the entries that end in it.
 * Instants are milliseconds since 1970 UTC at the source.
 */
export interface Stretch {
  /** Exclusive. */
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
}

/** `covered` with `more` added: sorted, disjoint, touching stretches joined. */
export function cover(covered: readonly Stretch[], more: Stretch): readonly Stretch[] {
  if (more.to <= more.from) return covered;
  const joined: Stretch[] = [];
  let { from, to } = more;
  for (const stretch of covered) {
    if (stretch.to < from || stretch.from > to) joined.push(stretch);
    else {
      from = Math.min(from, stretch.from);
      to = Math.max(to, stretch.to);
    }
  }
  joined.push({ from, to });
  return joined.sort((a, b) => a.from - b.from);
}

/** What of `window` is not covered, in order. */
export function missing(covered: readonly Stretch[], window: Stretch): readonly Stretch[] {
  const gaps: Stretch[] = [];
  let at = window.from;
  for (const stretch of covered) {
    if (stretch.to <= at) continue;
    if (stretch.from >= window.to) break;
    if (stretch.from > at) gaps.push({ from: at, to: stretch.from });
    at = stretch.to;
  }
  if (at < window.to) gaps.push({ from: at, to: window.to });
  return gaps;
}

/** How many intervals of `periodSeconds` end in the stretches. */
export function intervalCount(stretches: readonly Stretch[], periodSeconds: number): number {
  const period = periodSeconds * 1000;
  return stretches.reduce((sum, { from, to }) => sum + Math.floor(to / period) - Math.floor(from / period), 0);
}

/**
 * The window that should be held: the last `days` before now, but nothing the meter has forgotten, up to the newest
 * interval that has ended `settleSeconds` ago. Both ends are on the period's grid.
 */
export function desiredWindow(
  nowAtSource: number,
  horizon: { readonly days: number; readonly notBefore?: number; readonly settleSeconds: number },
  periodSeconds: number,
): Stretch {
  const period = periodSeconds * 1000;
  const to = Math.floor((nowAtSource - horizon.settleSeconds * 1000) / period) * period;
  const earliest = Math.max(
    nowAtSource - horizon.days * DAY_MILLISECONDS,
    horizon.notBefore ?? Number.NEGATIVE_INFINITY,
  );
  return { from: Math.min(to, Math.floor(earliest / period) * period), to };
}

/** The next instant at the source at which another interval has ended and settled. */
export function nextIntervalAt(nowAtSource: number, settleSeconds: number, periodSeconds: number): number {
  const period = periodSeconds * 1000;
  return Math.floor((nowAtSource - settleSeconds * 1000) / period + 1) * period + settleSeconds * 1000;
}
