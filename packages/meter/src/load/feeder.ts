import { derive, smooth } from "../noise.ts";
import {
  dayOfInterval,
  firstIntervalOf,
  INTERVAL_SECONDS,
  intervalAt,
  SLOTS_A_DAY,
  type UnixSeconds,
} from "../time/calendar.ts";
import type { Consumption, IntervalEnergy, Registers } from "./consumption.ts";
import type { HomeConsumption } from "./home.ts";
import type { Line } from "./line.ts";
import { MINUTES, minuteShare, PATTERNS, patternOf } from "./minutes.ts";
import { plusInterval, RunningSums } from "./running-sums.ts";

interface FinishedDay {
  readonly importWh: Int32Array;
  readonly exportWh: Int32Array;
}

/** Iron loss and copper loss at rated power, as shares of rated power. */
const IRON_LOSS = 0.0016;
const COPPER_LOSS = 0.011;

/**
 * A feeder with its transformer: what the transformer meter measures (the homes' sum plus losses) and the voltage along the line.
 *
 * States: energies of finished quarter hours, kept by day, and their running sums; the minutes of the current quarter hour. A relay that moves makes it forget from there on.
 */
export class Feeder implements Consumption, Line {
  readonly tangentPhi = 0.18;
  readonly #seed: number;
  readonly #ratedVa: number;
  readonly #homes: HomeConsumption[] = [];
  readonly #firstInterval: number;
  readonly #days = new Map<number, FinishedDay>();
  readonly #sums: RunningSums;
  #minutes: Float64Array | undefined;
  #minutesOf = Number.NaN;

  constructor(options: { seed: number; ratedKva: number; firstInterval: number }) {
    this.#seed = derive(options.seed, 0xfeed);
    this.#ratedVa = options.ratedKva * 1000;
    this.#firstInterval = options.firstInterval;
    this.#sums = new RunningSums(options.firstInterval, (interval) => this.interval(interval));
  }

  get homes(): readonly HomeConsumption[] {
    return this.#homes;
  }

  /** Adds a home; `position` is its place along the line, 0 to 1. */
  add(home: HomeConsumption, position: number): void {
    this.#homes.push(home);
    home.attach(this, position);
    this.forgetFrom(this.#firstInterval);
  }

  /** Drops what was summed up from the interval on. */
  forgetFrom(interval: number): void {
    const day = dayOfInterval(interval);
    for (const kept of this.#days.keys()) if (kept >= day) this.#days.delete(kept);
    this.#sums.forgetFrom(interval);
    this.#minutes = undefined;
  }

  /** Energy through the transformer in each minute of an interval, in Wh, losses included. */
  #minutesIn(interval: number): Float64Array {
    const sums = new Float64Array(PATTERNS);
    const minutes = new Float64Array(MINUTES);
    const from = interval * INTERVAL_SECONDS;
    for (const home of this.#homes) {
      const net = home.netWhBeforeRelay(interval);
      if (!home.relay.movesIn(interval)) {
        if (home.relay.connectedAt(from)) {
          const pattern = patternOf(home.seed, interval);
          sums[pattern] = (sums[pattern] ?? 0) + net;
        }
        continue;
      }
      const pattern = patternOf(home.seed, interval);
      for (const [a, b] of home.relay.connectedSpans(from, from + INTERVAL_SECONDS)) {
        for (let minute = 0; minute < MINUTES; minute++) {
          const start = from + minute * 60;
          const covered = Math.max(0, Math.min(b, start + 60) - Math.max(a, start)) / 60;
          minutes[minute] = (minutes[minute] ?? 0) + net * minuteShare(pattern, minute) * covered;
        }
      }
    }
    let total = minutes.reduce((a, b) => a + b, 0);
    for (let pattern = 0; pattern < PATTERNS; pattern++) {
      const sum = sums[pattern] ?? 0;
      total += sum;
      for (let minute = 0; minute < MINUTES; minute++) {
        minutes[minute] = (minutes[minute] ?? 0) + sum * minuteShare(pattern, minute);
      }
    }
    const loss = this.lossWh(total);
    for (let minute = 0; minute < MINUTES; minute++) minutes[minute] = (minutes[minute] ?? 0) + loss / MINUTES;
    return minutes;
  }

  /** Losses of one quarter hour in Wh for the net energy the homes took in it. */
  lossWh(homesWh: number): number {
    const utilisation = (4 * homesWh) / this.#ratedVa;
    return (this.#ratedVa / 4) * (IRON_LOSS + COPPER_LOSS * utilisation * utilisation);
  }

  #currentMinutes(interval: number): Float64Array {
    if (this.#minutes === undefined || this.#minutesOf !== interval) {
      this.#minutes = this.#minutesIn(interval);
      this.#minutesOf = interval;
    }
    return this.#minutes;
  }

  #energy(interval: number, until: UnixSeconds): IntervalEnergy {
    if (interval < this.#firstInterval) return { importWh: 0, exportWh: 0 };
    const minutes = this.#currentMinutes(interval);
    let importWh = 0;
    let exportWh = 0;
    const elapsed = Math.min(MINUTES, (until - interval * INTERVAL_SECONDS) / 60);
    for (let minute = 0; minute < elapsed; minute++) {
      const wh = (minutes[minute] ?? 0) * Math.min(1, elapsed - minute);
      if (wh > 0) importWh += wh;
      else exportWh -= wh;
    }
    return { importWh: Math.floor(importWh + 1e-9), exportWh: Math.floor(exportWh + 1e-9) };
  }

  #finished(day: number): FinishedDay {
    const known = this.#days.get(day);
    if (known !== undefined) return known;
    const made = { importWh: new Int32Array(SLOTS_A_DAY), exportWh: new Int32Array(SLOTS_A_DAY) };
    for (let slot = 0; slot < SLOTS_A_DAY; slot++) {
      const interval = firstIntervalOf(day) + slot;
      const energy = this.#energy(interval, (interval + 1) * INTERVAL_SECONDS);
      made.importWh[slot] = energy.importWh;
      made.exportWh[slot] = energy.exportWh;
    }
    this.#days.set(day, made);
    return made;
  }

  interval(interval: number): IntervalEnergy {
    const day = dayOfInterval(interval);
    const slot = interval - firstIntervalOf(day);
    const { importWh, exportWh } = this.#finished(day);
    return { importWh: importWh[slot] ?? 0, exportWh: exportWh[slot] ?? 0 };
  }

  registers(at: UnixSeconds): Registers {
    const now = intervalAt(at);
    return plusInterval(this.#sums.at(now), now, this.#energy(now, at));
  }

  powerW(at: UnixSeconds): number {
    const interval = intervalAt(at);
    const minute = Math.floor((at - interval * INTERVAL_SECONDS) / 60);
    return Math.round((this.#currentMinutes(interval)[minute] ?? 0) * 60);
  }

  /** Mean power of a finished interval in W. */
  meanPowerW(interval: number): number {
    const { importWh, exportWh } = this.interval(interval);
    return 4 * (importWh - exportWh);
  }

  #busbarV(at: UnixSeconds, feederW: number): number {
    return (
      235 + 2.2 * smooth(this.#seed, at / 2700) + 0.8 * smooth(this.#seed + 1, at / 240) - (6 * feederW) / this.#ratedVa
    );
  }

  voltageV(at: UnixSeconds, phase: number): number {
    return this.#busbarV(at, this.powerW(at)) + (phase - 1) * 0.4;
  }

  meanVoltageV(interval: number): number {
    return this.#busbarV((interval + 0.5) * INTERVAL_SECONDS, this.meanPowerW(interval));
  }

  /** Voltage in V at a place along the line while the feeder carries the power. The far half carries less, so the drop flattens. */
  voltageAtHome(at: UnixSeconds, feederW: number, position: number): number {
    return this.#busbarV(at, feederW) - (11 * position * (2 - position) * feederW) / this.#ratedVa;
  }
}
