import type { UnixSeconds } from "./calendar.ts";

/** How the town's time runs: `epoch` is the town's time when the wall clock showed `wallEpoch`. Unix seconds. */
export interface TownTime {
  readonly epoch: UnixSeconds;
  readonly wallEpoch: UnixSeconds;
  /** Simulated seconds a second. */
  readonly factor: number;
}

/** A clock that shows the instant. */
export type MeterClock = () => UnixSeconds;

/** The town's time at a time of the wall clock. */
export function townTimeAt(time: TownTime, wall: UnixSeconds): UnixSeconds {
  return time.epoch + (wall - time.wallEpoch) * time.factor;
}

/** A gap of the wall clock longer than this counts as a stop, over which the town's time stands still. Seconds. */
export const STOP_SECONDS = 120;

/** What is kept of a running clock, so that the next start can go on. */
export interface KeptTime extends TownTime {
  /** The last time of the wall clock at which the town was alive. */
  readonly aliveAt: UnixSeconds;
}

/**
 * The time with which a town goes on after a start.
 *
 * After a short gap, such as a crash, its time has run on, so that nobody who knows the clock is surprised. After a stop it goes on from where it was:
 * at 60 times speed a night would else be a month without readings. A new factor takes effect without a jump. The town's time never runs backwards.
 */
export function resumeTime(kept: KeptTime | undefined, wall: UnixSeconds, factor: number): TownTime {
  if (kept === undefined) return { epoch: wall, wallEpoch: wall, factor };
  const gap = wall - kept.aliveAt;
  if (gap >= 0 && gap <= STOP_SECONDS) {
    return kept.factor === factor
      ? { epoch: kept.epoch, wallEpoch: kept.wallEpoch, factor }
      : { epoch: townTimeAt(kept, wall), wallEpoch: wall, factor };
  }
  return { epoch: townTimeAt(kept, kept.aliveAt + STOP_SECONDS), wallEpoch: wall, factor };
}
