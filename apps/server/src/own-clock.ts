import type { Warning } from "@meterkeep/api";
import { OwnTime, steadyClock } from "@meterkeep/guard";

/** What the warning needs: clocks of meters that are off by less are let be (headend: CLOCK_LIMITS). */
const TOLD_MILLISECONDS = 5_000;

/**
 * This process's notion of time: the wall clock as far as the monotonic one agrees, so that one that is set while the process runs is
 * followed no faster than clocks are slewed, as in the custodian (ADR 0049, 0051). Believed, it would want intervals that no meter
 * has measured yet and take them for absent, call every meter's clock wrong, and date readings by it.
 */
export class OwnClock {
  readonly #wall: () => number;
  readonly #steady: () => number;
  readonly #time: OwnTime;

  constructor(wall: () => number = Date.now, monotonic: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#steady = steadyClock(wall, monotonic);
    this.#time = new OwnTime(wall, monotonic, 0);
  }

  /** Milliseconds since 1970 UTC. */
  readonly now = (): number => this.#steady();

  /** Why nothing is taken off, and no clock of a meter is moved, by this process's time (MC-08). */
  readonly trouble = (): string | undefined =>
    this.#time.jump === undefined
      ? undefined
      : `the clock was set by ${this.#time.jump} ms since the start: start anew when it is right`;

  /** What people are told while the machine's clock is not what it was. */
  get warnings(): readonly Warning[] {
    const off = Math.round(this.#wall() - this.#steady());
    if (Math.abs(off) <= TOLD_MILLISECONDS) return [];
    return [
      {
        code: "clock-set",
        text: `The clock of this machine was set by ${(off / 1000).toFixed(0)} s while Meterkeep runs. The head-end goes on by its own time: readings are wanted and dated by it, and from a minute on nothing is switched off and no meter's clock is moved.`,
        fix: "Look which is right. When the machine's clock is, start Meterkeep anew; a custodian that then doubts it has two people approve `npx meterkeep clock trust`.",
      },
    ];
  }
}
