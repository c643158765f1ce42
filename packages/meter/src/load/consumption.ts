import type { UnixSeconds } from "../time/calendar.ts";

/** Cumulative registers in Wh, whole numbers that never decrease. */
export interface Registers {
  readonly importWh: number;
  /** The part of `importWh` used in the high tariff (workdays, 06 to 22 standard time). */
  readonly importHighWh: number;
  readonly exportWh: number;
}

/** Energy of one finished quarter hour in Wh. */
export interface IntervalEnergy {
  readonly importWh: number;
  readonly exportWh: number;
}

/** What a meter measures. Registers are the sum of the intervals, power is the slope of the registers, whoever implements it. */
export interface Consumption {
  /** Registers at an instant not before the meter's first interval. */
  registers(at: UnixSeconds): Registers;
  /** Energy of a finished interval. */
  interval(interval: number): IntervalEnergy;
  /** Active power at the instant in W; negative where the meter feeds in. */
  powerW(at: UnixSeconds): number;
  /** Line voltage of the phase (0, 1 or 2) in V, before the relay. */
  voltageV(at: UnixSeconds, phase: number): number;
  /** Mean voltage of a finished interval in V. */
  meanVoltageV(interval: number): number;
  /** Reactive power as a share of active power. */
  readonly tangentPhi: number;
}
