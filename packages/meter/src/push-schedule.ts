import { between } from "./noise.ts";
import type { UnixSeconds } from "./time/calendar.ts";

/** What is pushed: the regular report or an alarm. */
export type PushKind = "report" | "alarm";

/** Meters that come up together spread their first pushes over this time. Seconds. */
const FIRST_WITHIN = 900;
/** Between two reports. Seconds. */
const BETWEEN_REPORTS = [900, 3600] as const;
/** Alarms leave within this time. Seconds. */
const ALARM_WITHIN = 10;
/** The least time between two alarms: whoever rattles at a meter's door does not make it flood its head-end. Seconds. */
const BETWEEN_ALARMS = 300;

/**
 * When a meter pushes.
 *
 * States: silent, until it is in the field; then always one report ahead, and at most one alarm.
 */
export class PushSchedule {
  readonly #seed: number;
  #reports = 0;
  #nextReport = Number.POSITIVE_INFINITY;
  #nextAlarm = Number.POSITIVE_INFINITY;
  #lastAlarm = Number.NEGATIVE_INFINITY;

  constructor(seed: number) {
    this.#seed = seed ^ 0x9054;
  }

  /** The meter has come up, or been installed: it announces itself soon. */
  start(at: UnixSeconds): void {
    this.#nextReport = at + between(this.#seed, this.#reports, 0, FIRST_WITHIN);
  }

  /** Asks for a push as soon as its randomisation allows; an alarm that follows another too closely is left out. */
  request(kind: PushKind, at: UnixSeconds): void {
    if (this.#nextReport === Number.POSITIVE_INFINITY) return;
    if (kind === "report") this.#nextReport = Math.min(this.#nextReport, at);
    else if (this.#nextAlarm === Number.POSITIVE_INFINITY && at - this.#lastAlarm >= BETWEEN_ALARMS) {
      this.#nextAlarm = at + between(this.#seed, Math.floor(at), 0, ALARM_WITHIN);
    }
  }

  /** What is due, and schedules the next one. */
  take(at: UnixSeconds): PushKind | undefined {
    if (at >= this.#nextAlarm) {
      this.#nextAlarm = Number.POSITIVE_INFINITY;
      this.#lastAlarm = at;
      return "alarm";
    }
    if (at < this.#nextReport) return undefined;
    this.#reports += 1;
    this.#nextReport = at + between(this.#seed, this.#reports, ...BETWEEN_REPORTS);
    return "report";
  }
}
