import type { Consumption } from "../load/consumption.ts";
import { INTERVAL_SECONDS, intervalAt, type UnixSeconds } from "../time/calendar.ts";

/** What a quantity is computed from. */
export interface Measuring {
  readonly consumption: Consumption;
  /** Phases connected: 1 or 3. */
  readonly phases: 1 | 3;
  /** Whether the relay lets supply pass. */
  suppliedAt(at: UnixSeconds): boolean;
}

/** Kinds that share a resolution within a companion profile. */
export type QuantityKind = "energy" | "power" | "voltage" | "current" | "powerFactor" | "frequency";

/** One measured quantity: where it is found and how it follows from the load. */
export interface Quantity {
  readonly obis: string;
  readonly kind: QuantityKind;
  /** DLMS unit (Blue Book table 4). */
  readonly unit: number;
  readonly type: "double-long-unsigned" | "long-unsigned";
  /** Whether a meter with fewer phases lacks it. */
  readonly phase?: 1 | 2 | 3;
  /** How many of `step` the quantity is at the instant; a quantity of an interval is that of the interval that has just ended. */
  count(meter: Measuring, at: UnixSeconds, step: number): number;
}

const WH = 30;
const VAH = 31;
const VARH = 32;
const W = 27;
const V = 35;
const A = 33;
const HZ = 44;
const COUNT = 255;

function energy(obis: string, unit: number, wh: (meter: Measuring, at: UnixSeconds) => number): Quantity {
  return {
    obis,
    kind: "energy",
    unit,
    type: "double-long-unsigned",
    count: (meter, at, step) => Math.floor(wh(meter, at) / step),
  };
}

/** Energy of the last interval: the difference of the register as it is shown, so that blocks add up to the register in any resolution. */
function block(obis: string, of: Quantity): Quantity {
  return {
    ...of,
    obis,
    type: "long-unsigned",
    count: (meter, at, step) => {
      const end = intervalAt(at) * INTERVAL_SECONDS;
      return of.count(meter, end, step) - of.count(meter, end - INTERVAL_SECONDS, step);
    },
  };
}

function moment(
  obis: string,
  kind: QuantityKind,
  unit: number,
  value: (meter: Measuring, at: UnixSeconds) => number,
  phase?: 1 | 2 | 3,
): Quantity {
  return {
    obis,
    kind,
    unit,
    type: kind === "power" ? "double-long-unsigned" : "long-unsigned",
    ...(phase === undefined ? {} : { phase }),
    count: (meter, at, step) => Math.round(value(meter, at) / step),
  };
}

const QUALITY_SECONDS = 600;
const QUALITY_SAMPLES = 5;

/** Mean voltage of the ten minutes before. */
function averageVoltage(obis: string, phase: 1 | 2 | 3): Quantity {
  const step = QUALITY_SECONDS / QUALITY_SAMPLES;
  return moment(
    obis,
    "voltage",
    V,
    (m, at) => {
      const end = Math.floor(at / QUALITY_SECONDS) * QUALITY_SECONDS;
      let sum = 0;
      for (let n = 1; n <= QUALITY_SAMPLES; n += 1) sum += m.consumption.voltageV(end - n * step + step / 2, phase - 1);
      return sum / QUALITY_SAMPLES;
    },
    phase,
  );
}

function apparent(meter: Measuring): number {
  return Math.hypot(1, meter.consumption.tangentPhi);
}

function currentA(meter: Measuring, at: UnixSeconds, phase: number): number {
  const power = Math.abs(meter.consumption.powerW(at)) * apparent(meter);
  return power / meter.phases / meter.consumption.voltageV(at, phase);
}

function meanCurrentA(meter: Measuring, at: UnixSeconds): number {
  const interval = intervalAt(at) - 1;
  const { importWh, exportWh } = meter.consumption.interval(interval);
  const power = 4 * Math.abs(importWh - exportWh) * apparent(meter);
  return power / meter.phases / meter.consumption.meanVoltageV(interval);
}

const activeImport = energy("1.0.1.8.0.255", WH, (m, at) => m.consumption.registers(at).importWh);
const activeExport = energy("1.0.2.8.0.255", WH, (m, at) => m.consumption.registers(at).exportWh);

/** Everything that the virtual meters measure. */
export const QUANTITIES = {
  activeImport,
  activeImportHigh: energy("1.0.1.8.1.255", WH, (m, at) => m.consumption.registers(at).importHighWh),
  activeImportLow: energy("1.0.1.8.2.255", WH, (m, at) => {
    const { importWh, importHighWh } = m.consumption.registers(at);
    return importWh - importHighWh;
  }),
  activeExport,
  reactiveImport: energy("1.0.3.8.0.255", VARH, (m, at) =>
    Math.floor(m.consumption.registers(at).importWh * m.consumption.tangentPhi),
  ),
  reactiveExport: energy("1.0.4.8.0.255", VARH, (m, at) =>
    Math.floor(m.consumption.registers(at).exportWh * m.consumption.tangentPhi),
  ),
  apparentImport: energy("1.0.9.8.0.255", VAH, (m, at) =>
    Math.floor(m.consumption.registers(at).importWh * apparent(m)),
  ),
  powerImport: moment("1.0.1.7.0.255", "power", W, (m, at) => Math.max(0, m.consumption.powerW(at))),
  powerExport: moment("1.0.2.7.0.255", "power", W, (m, at) => Math.max(0, -m.consumption.powerW(at))),
  voltageL1: moment("1.0.32.7.0.255", "voltage", V, (m, at) => m.consumption.voltageV(at, 0), 1),
  voltageL2: moment("1.0.52.7.0.255", "voltage", V, (m, at) => m.consumption.voltageV(at, 1), 2),
  voltageL3: moment("1.0.72.7.0.255", "voltage", V, (m, at) => m.consumption.voltageV(at, 2), 3),
  averageVoltageL1: averageVoltage("1.0.32.24.0.255", 1),
  averageVoltageL2: averageVoltage("1.0.52.24.0.255", 2),
  averageVoltageL3: averageVoltage("1.0.72.24.0.255", 3),
  currentL1: moment("1.0.31.7.0.255", "current", A, (m, at) => currentA(m, at, 0), 1),
  currentL2: moment("1.0.51.7.0.255", "current", A, (m, at) => currentA(m, at, 1), 2),
  currentL3: moment("1.0.71.7.0.255", "current", A, (m, at) => currentA(m, at, 2), 3),
  /** Behind the relay: 0 V while it is open. Value group E 128 is the manufacturer's. */
  loadSideVoltage: moment("1.0.32.7.128.255", "voltage", V, (m, at) =>
    m.suppliedAt(at) ? m.consumption.voltageV(at, 0) : 0,
  ),
  powerFactor: moment("1.0.13.7.0.255", "powerFactor", COUNT, (m) => 1 / apparent(m)),
  frequency: moment("1.0.14.7.0.255", "frequency", HZ, (_, at) => 50 + 0.015 * Math.sin(at / 97)),
  blockImport: block("1.0.1.29.0.255", activeImport),
  blockExport: block("1.0.2.29.0.255", activeExport),
  meanVoltage: moment("1.0.32.27.0.255", "voltage", V, (m, at) => m.consumption.meanVoltageV(intervalAt(at) - 1)),
  meanCurrent: moment("1.0.31.27.0.255", "current", A, meanCurrentA),
} as const satisfies Record<string, Quantity>;

/** Name of a quantity. */
export type QuantityName = keyof typeof QUANTITIES;

const LARGEST = { "double-long-unsigned": 0xffff_ffff, "long-unsigned": 0xffff } as const;

/** The number on the wire: the quantity counted in `10^scaler` of its unit, no larger than its type can carry. */
export function wireValue(quantity: Quantity, meter: Measuring, at: UnixSeconds, scaler: number): number {
  return Math.min(LARGEST[quantity.type], Math.max(0, quantity.count(meter, at, 10 ** scaler)));
}
