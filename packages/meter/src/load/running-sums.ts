import { dayOfInterval, firstIntervalOf, SLOTS_A_DAY, weekdayOf } from "../time/calendar.ts";
import type { IntervalEnergy, Registers } from "./consumption.ts";

/** Whether an interval is billed in the high tariff: workdays from 06 to 22 standard time. */
export function isHighTariff(interval: number): boolean {
  const day = dayOfInterval(interval);
  const slot = interval - firstIntervalOf(day);
  return weekdayOf(day) < 5 && slot >= 24 && slot < 88;
}

/**
 * Registers as sums of intervals, without adding up years for every read.
 *
 * States: the sums at the start of each day since the first one, grown when first asked for, and a cursor that goes along with reads in the order of time.
 */
export class RunningSums {
  readonly #firstInterval: number;
  readonly #firstDay: number;
  readonly #energyOf: (interval: number) => IntervalEnergy;
  /** Import, import in the high tariff and export at the start of each day: three numbers a day. */
  readonly #dayStarts: number[] = [0, 0, 0];
  #cursor: number;
  #importWh = 0;
  #importHighWh = 0;
  #exportWh = 0;

  /** @param energyOf energy of a finished interval, not before `firstInterval`. */
  constructor(firstInterval: number, energyOf: (interval: number) => IntervalEnergy) {
    this.#firstInterval = firstInterval;
    this.#firstDay = dayOfInterval(firstInterval);
    this.#energyOf = energyOf;
    this.#cursor = firstInterval;
  }

  /** Registers at the start of the interval. */
  at(interval: number): Registers {
    if (interval <= this.#firstInterval) return { importWh: 0, importHighWh: 0, exportWh: 0 };
    const day = dayOfInterval(interval);
    if (interval < this.#cursor || day > dayOfInterval(this.#cursor)) this.#moveToDay(day);
    this.#advance(interval);
    return { importWh: this.#importWh, importHighWh: this.#importHighWh, exportWh: this.#exportWh };
  }

  /** Drops the sums that include the interval. */
  forgetFrom(interval: number): void {
    const day = dayOfInterval(interval);
    this.#dayStarts.length = Math.min(this.#dayStarts.length, 3 * Math.max(1, day - this.#firstDay + 1));
    if (this.#cursor > interval) this.#moveToDay(Math.max(day, this.#firstDay));
  }

  #moveToDay(day: number): void {
    const starts = this.#dayStarts;
    for (let known = starts.length / 3 - 1; ; known++) {
      const index = Math.min(known, day - this.#firstDay);
      this.#cursor = Math.max(firstIntervalOf(this.#firstDay + index), this.#firstInterval);
      this.#importWh = starts[3 * index] ?? 0;
      this.#importHighWh = starts[3 * index + 1] ?? 0;
      this.#exportWh = starts[3 * index + 2] ?? 0;
      if (this.#firstDay + index >= day) return;
      this.#advance(firstIntervalOf(this.#firstDay + index) + SLOTS_A_DAY);
      starts.push(this.#importWh, this.#importHighWh, this.#exportWh);
    }
  }

  #advance(to: number): void {
    for (; this.#cursor < to; this.#cursor++) {
      const { importWh, exportWh } = this.#energyOf(this.#cursor);
      this.#importWh += importWh;
      this.#exportWh += exportWh;
      if (isHighTariff(this.#cursor)) this.#importHighWh += importWh;
    }
  }
}

/** Registers with the energy of an unfinished interval added. */
export function plusInterval(registers: Registers, interval: number, energy: IntervalEnergy): Registers {
  return {
    importWh: registers.importWh + energy.importWh,
    importHighWh: registers.importHighWh + (isHighTariff(interval) ? energy.importWh : 0),
    exportWh: registers.exportWh + energy.exportWh,
  };
}
