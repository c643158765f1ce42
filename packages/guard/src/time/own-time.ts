/** A wall clock that differs by more from the monotonic one was set: nothing critical is sealed under it. */
const MOST_JUMP_MILLISECONDS = 60_000;
/** Whoever was away for longer, all starts together, cannot tell a long stop from a clock that was set forward meanwhile: people say which it was (ADR 0049). */
const MOST_STOPPED_MILLISECONDS = 15 * 60_000;
/** So much time lived pays for one unit of it: a quarter of an hour a day. */
const LIVED_FOR_STOPPED = 96;

/** For how long nobody ran, over starts, and since when that is counted on. */
export interface Stopped {
  readonly milliseconds: number;
  /** By the clock of the start that counted it last. */
  readonly at: number;
}

/**
 * A process's own notion of time, which nobody moves forward to reach a window or to let a cap run out (MC-08).
 *
 * *Lived* time, of the custodian, runs with the monotonic clock from the latest seal on and stands still while no custodian runs: caps count in
 * it. The wall clock is held against the monotonic one since the start, and against what was written before it.
 */
export class OwnTime {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  readonly #lived: number;
  readonly #wallAtStart: number;
  readonly #monotonicAtStart: number;
  readonly #written: number;

  /** @param written when the newest of what was kept was written, by the wall clock of then */
  constructor(wall: () => number, monotonic: () => number, lived: number, written = 0) {
    this.#written = written;
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#lived = lived;
    this.#wallAtStart = wall();
    this.#monotonicAtStart = monotonic();
  }

  /** Milliseconds lived by all processes so far, whole. */
  get lived(): number {
    return this.#lived + Math.floor(this.#monotonic() - this.#monotonicAtStart);
  }

  /**
   * How far the wall clock is behind what was written before the start, in milliseconds, where it is more than clocks drift:
   * whoever sets it back while nobody runs would have windows that are over begin anew.
   */
  get behind(): number | undefined {
    const behind = this.#written - this.#wall();
    return behind > MOST_JUMP_MILLISECONDS ? Math.round(behind) : undefined;
  }

  /**
   * For how long nobody ran, this start's stop and those before it that lived time has not paid for; and whether that is more than
   * starts anew take: whoever sets the clock forward while nobody runs, at once or a little a start, would reach windows and hours
   * before their time.
   */
  stopped(
    before: Stopped | undefined,
  ): Stopped & { readonly thisStopMilliseconds: number; readonly isDoubted: boolean } {
    const thisStopMilliseconds = Math.max(0, Math.round(this.#written === 0 ? 0 : this.#wallAtStart - this.#written));
    const lived = before === undefined ? 0 : Math.max(0, this.#written - before.at);
    const left = Math.max(0, (before?.milliseconds ?? 0) - Math.floor(lived / LIVED_FOR_STOPPED));
    const milliseconds = left + thisStopMilliseconds;
    const isDoubted = milliseconds > MOST_STOPPED_MILLISECONDS;
    return { milliseconds, at: this.#wallAtStart, thisStopMilliseconds, isDoubted };
  }

  /** How far the wall clock was moved since the start, in milliseconds, where it is more than clocks drift. */
  get jump(): number | undefined {
    const jump = this.#wall() - this.#wallAtStart - (this.#monotonic() - this.#monotonicAtStart);
    return Math.abs(jump) > MOST_JUMP_MILLISECONDS ? Math.round(jump) : undefined;
  }
}
