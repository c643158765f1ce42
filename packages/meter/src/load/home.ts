import { between } from "../noise.ts";
import { dayOfInterval, firstIntervalOf, INTERVAL_SECONDS, intervalAt, type UnixSeconds } from "../time/calendar.ts";
import type { Consumption, IntervalEnergy, Registers } from "./consumption.ts";
import { type DayEnergy, dayEnergy } from "./day-energy.ts";
import type { Household } from "./household.ts";
import type { Line } from "./line.ts";
import { minuteShare, patternOf, shareUntil } from "./minutes.ts";
import { RelayHistory } from "./relay-history.ts";
import { plusInterval, RunningSums } from "./running-sums.ts";
import type { Weather } from "./weather.ts";

interface KeptDay {
  readonly day: number;
  readonly energy: DayEnergy;
}

/**
 * Consumption of one home behind its relay.
 *
 * States: running sums and the quarter hours of two days. All of it follows from household, weather and relay history, so it may be dropped at any time.
 */
export class HomeConsumption implements Consumption {
  readonly #household: Household;
  readonly #weather: Weather;
  readonly #relay: RelayHistory;
  /** Through which the home feeds in. */
  readonly feed = new RelayHistory();
  readonly #firstInterval: number;
  readonly #sums: RunningSums;
  /** The day asked for last and the one before: a client reads yesterday's rows and today's registers in one go. */
  #last: KeptDay | undefined;
  #before: KeptDay | undefined;
  #line: Line | undefined;
  #position = 0;

  /** @param firstInterval the interval in which the meter was first powered; before it the registers are zero. */
  constructor(options: { household: Household; weather: Weather; relay: RelayHistory; firstInterval: number }) {
    this.#household = options.household;
    this.#weather = options.weather;
    this.#relay = options.relay;
    this.#firstInterval = options.firstInterval;
    this.#sums = new RunningSums(options.firstInterval, (interval) => this.interval(interval));
  }

  get seed(): number {
    return this.#household.seed;
  }

  get household(): Household {
    return this.#household;
  }

  get relay(): RelayHistory {
    return this.#relay;
  }

  get tangentPhi(): number {
    return this.#household.tangentPhi;
  }

  /** Joins the home to its line; `position` is its place along the line, 0 next to the transformer, 1 at the end. */
  attach(line: Line, position: number): void {
    this.#line = line;
    this.#position = position;
  }

  /** Moves the relay through which it feeds in. Returns false where it already stood so. */
  switchFeed(at: UnixSeconds, connected: boolean): boolean {
    if (!this.feed.add({ at, connected })) return false;
    this.#sums.forgetFrom(intervalAt(at));
    this.#line?.forgetFrom(intervalAt(at));
    return true;
  }

  /** Moves the relay; what was summed up for later days is forgotten. Returns false where it already stood so. */
  switchSupply(at: UnixSeconds, connected: boolean): boolean {
    if (!this.#relay.add({ at, connected })) return false;
    this.#sums.forgetFrom(intervalAt(at));
    this.#line?.forgetFrom(intervalAt(at));
    return true;
  }

  /** Net energy of the interval in Wh as if the relay were closed. */
  netWhBeforeRelay(interval: number): number {
    const day = dayOfInterval(interval);
    return interval < this.#firstInterval ? 0 : (this.#day(day)[interval - firstIntervalOf(day)] ?? 0);
  }

  /** Share of the interval's energy that passed the relay up to the instant. */
  #passed(interval: number, until: UnixSeconds): number {
    const from = interval * INTERVAL_SECONDS;
    if (!this.#relay.movesIn(interval)) {
      if (!this.#relay.connectedAt(from)) return 0;
      // Nearly all that is asked for are finished intervals, which need no pattern.
      return until >= from + INTERVAL_SECONDS ? 1 : shareUntil(patternOf(this.seed, interval), interval, until);
    }
    const pattern = patternOf(this.seed, interval);
    let share = 0;
    for (const [a, b] of this.#relay.connectedSpans(from, until)) {
      share += shareUntil(pattern, interval, b) - shareUntil(pattern, interval, a);
    }
    return share;
  }

  /** Energy of the interval up to the instant. */
  #energy(interval: number, until: UnixSeconds): IntervalEnergy {
    const net = this.netWhBeforeRelay(interval);
    // The share has 52 bits; the small addition keeps a full share of a whole number whole.
    const energy = Math.floor(Math.abs(net) * this.#passed(interval, until) + 1e-9);
    if (net >= 0) return { importWh: energy, exportWh: 0 };
    // Its relay stands for the whole of an interval as at its end.
    return { importWh: 0, exportWh: this.feed.connectedAt((interval + 1) * INTERVAL_SECONDS) ? energy : 0 };
  }

  interval(interval: number): IntervalEnergy {
    return this.#energy(interval, (interval + 1) * INTERVAL_SECONDS);
  }

  registers(at: UnixSeconds): Registers {
    const now = intervalAt(at);
    return plusInterval(this.#sums.at(now), now, this.#energy(now, at));
  }

  powerW(at: UnixSeconds): number {
    if (!this.#relay.connectedAt(at)) return 0;
    const power = this.powerBeforeRelayW(at);
    return power < 0 && !this.feed.connectedAt(at) ? 0 : power;
  }

  /** Power in W that would flow with the relay closed. */
  powerBeforeRelayW(at: UnixSeconds): number {
    const interval = intervalAt(at);
    const minute = Math.floor((at - interval * INTERVAL_SECONDS) / 60);
    return Math.round(this.netWhBeforeRelay(interval) * minuteShare(patternOf(this.seed, interval), minute) * 60);
  }

  voltageV(at: UnixSeconds, phase: number): number {
    return this.#voltage(at, this.#line?.powerW(at) ?? 0, this.powerW(at), phase);
  }

  meanVoltageV(interval: number): number {
    const { importWh, exportWh } = this.interval(interval);
    const total = this.#line?.meanPowerW(interval) ?? 0;
    return this.#voltage((interval + 0.5) * INTERVAL_SECONDS, total, 4 * (importWh - exportWh), 0);
  }

  #voltage(at: UnixSeconds, feederW: number, ownW: number, phase: number): number {
    const source = this.#line?.voltageAtHome(at, feederW, this.#position) ?? 232;
    const unbalance = between(this.seed, 50 + phase, -0.8, 0.8);
    return source + unbalance - (between(this.seed, 60, 0.04, 0.22) * ownW) / 230;
  }

  #day(day: number): DayEnergy {
    if (this.#last?.day === day) return this.#last.energy;
    const kept = this.#before?.day === day ? this.#before : undefined;
    this.#before = this.#last;
    this.#last = kept ?? { day, energy: dayEnergy(this.#household, this.#weather.day(day), day) };
    return this.#last.energy;
  }
}
