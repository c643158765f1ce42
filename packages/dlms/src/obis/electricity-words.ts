import type { ObisCode } from "./code.ts";
import { type CodeTable, lookUp } from "./media.ts";
import { type Measurement, measurement, quantityOf } from "./quantity.ts";

/** Codes of electricity that are no plain measurements (IEC 62056-6-1, tables of electricity). */
const ENTRIES: CodeTable = {
  "0.0.1": "Identification 1",
  "0.0.5": "Meter number (GS1)",
  "0.0.*": "Identification {e}",
  "0.1.0": "Billing period counter",
  "0.1.1": "Number of available billing periods",
  "0.1.2": "Time of the last billing period",
  "0.1.*": "Billing period, fact {e}",
  "0.2.0": "Firmware version",
  "0.2.1": "Parameter record number",
  "0.2.2": "Tariff program number",
  "0.2.3": "Ripple control program number",
  "0.2.4": "Connection diagram",
  "0.2.8": "P1 version",
  "0.2.129": "List version",
  "0.2.*": "Program entry {e}",
  "0.3.0": "Pulse constant of active energy (LED)",
  "0.3.1": "Pulse constant of reactive energy (LED)",
  "0.3.2": "Pulse constant of apparent energy (LED)",
  "0.3.3": "Pulse constant of active energy (output)",
  "0.3.4": "Pulse constant of reactive energy (output)",
  "0.3.5": "Pulse constant of apparent energy (output)",
  "0.3.*": "Pulse constant {e}",
  "0.4.2": "Current transformer ratio",
  "0.4.3": "Voltage transformer ratio",
  "0.4.5": "Current transformer ratio, numerator",
  "0.4.6": "Voltage transformer ratio, numerator",
  "0.4.*": "Reading factor or transformer ratio {e}",
  "0.5.*": "Demand limit {e}",
  "0.6.0": "Nominal voltage",
  "0.6.1": "Basic current",
  "0.6.2": "Nominal frequency",
  "0.6.3": "Maximum current",
  "0.6.4": "Reference voltage for power quality",
  "0.6.*": "Nominal value {e}",
  "0.7.*": "Input pulse value {e}",
  "0.8.0": "Measurement period 1",
  "0.8.4": "Recording interval 1",
  "0.8.5": "Recording interval 2",
  "0.8.6": "Billing period",
  "0.8.*": "Measurement period {e}",
  "0.9.0": "Time expired since the end of the billing period",
  "0.9.1": "Time of day",
  "0.9.2": "Date",
  "0.9.5": "Day of the week",
  "0.9.*": "Time entry {e}",
  "0.10.*": "Coefficient {e}",
  "0.11.*": "Measurement method {e}",
  "82.*": "Pulses or unitless value {d}.{e}",
  "83.*": "Transformer and line losses {d}.{e}",
  "88.*": "Ampere-squared hours {d}.{e}",
  "89.*": "Volt-squared hours {d}.{e}",
  "93.*": "Consortium value {d}.{e}",
  "94.*": "National value {d}.{e}",
  "96.1.1": "Meter type",
  "96.1.*": "Identification {e}",
  "96.5.*": "Internal operating status",
  "96.6.*": "Battery entry {e}",
  "96.7.*": "Power failures, kind {e}",
  "96.8.*": "Operating time, tariff {e}",
  "96.10.*": "Status register {e}",
  "96.*": "Service entry {d}.{e}",
  "97.97.*": "Error register",
  "98.1.*": "Data of billing period, scheme {e}",
  "98.*": "List {d}.{e}",
  "99.1.*": "Load profile 1",
  "99.2.*": "Load profile 2",
  "99.3.*": "Test load profile",
  "99.10.1": "Voltage dip table",
  "99.11.*": "Voltage swell profile",
  "99.12.*": "Cut profile",
  "99.13.*": "Harmonics profile",
  "99.14.*": "Voltage level profile",
  "99.97.*": "Power failure log",
  "99.98.*": "Event log {e}",
  "99.99.*": "Certification log",
  "99.*": "Profile {d}.{e}",
};

const KIND_WORDS: Readonly<Record<Measurement["kind"], readonly [power: string, energy: string]>> = {
  active: ["Active power", "Active energy"],
  reactive: ["Reactive power", "Reactive energy"],
  apparent: ["Apparent power", "Apparent energy"],
  current: ["Current", "Current"],
  voltage: ["Voltage", "Voltage"],
  "power-factor": ["Power factor", "Power factor"],
  frequency: ["Frequency", "Frequency"],
};

/** Group D where it is more than "now" (7) and "counted" (8) (IEC 62056-6-1, table of group D). */
const PROCESSING: Readonly<Record<number, string>> = {
  0: "average since billing",
  1: "cumulative minimum",
  2: "cumulative maximum",
  3: "minimum",
  4: "running average",
  5: "last average",
  6: "maximum",
  9: "since billing",
  10: "over the limit",
  11: "cumulative minimum of period 2",
  12: "cumulative maximum of period 2",
  13: "minimum of period 2",
  14: "running average of period 2",
  15: "last average of period 2",
  16: "maximum of period 2",
  17: "time integral 7",
  18: "time integral 8",
  19: "time integral 9",
  20: "time integral 10",
  21: "cumulative minimum of period 3",
  22: "cumulative maximum of period 3",
  23: "minimum of period 3",
  24: "running average of period 3",
  25: "last average of period 3",
  26: "maximum of period 3",
  27: "average of the interval",
  28: "average of recording interval 2",
  29: "of the interval",
  30: "of recording interval 2",
  31: "lower limit",
  35: "upper limit",
  39: "threshold for missing values",
  40: "number of times missing",
  41: "duration of missing",
  42: "magnitude while missing",
  43: "time threshold below the limit",
  44: "time threshold over the limit",
  45: "time threshold for missing values",
  46: "contracted value",
  51: "minimum of recording interval 1",
  52: "minimum of recording interval 2",
  53: "maximum of recording interval 1",
  54: "maximum of recording interval 2",
  55: "test average",
  56: "running average of period 4",
  58: "test energy",
};

/** Group D of what goes beyond limits: voltages sag and swell. */
const BEYOND: Readonly<Record<number, readonly [voltage: string, other: string]>> = {
  32: ["number of sags", "number of times below the limit"],
  33: ["duration of sags", "duration below the limit"],
  34: ["magnitude of sags", "magnitude below the limit"],
  36: ["number of swells", "number of times over the limit"],
  37: ["duration of swells", "duration over the limit"],
  38: ["magnitude of swells", "magnitude over the limit"],
};

/** Group D whose group E counts harmonics, for current, voltage and active power. */
const WITH_HARMONICS: ReadonlySet<number> = new Set([7, 24]);
const HARMONIC_KINDS: ReadonlySet<string> = new Set(["current", "voltage", "active"]);
const HARMONICS: Readonly<Record<number, string>> = {
  1: "fundamental",
  124: "total harmonic distortion",
  125: "total demand distortion",
  126: "all harmonics",
  127: "all harmonics to the nominal value",
};
const HIGHEST_HARMONIC = 120;
const HIGHEST_TARIFF = 63;

/** What group E adds: a tariff or a harmonic. */
export interface ElectricityParts {
  readonly text: string;
  readonly phase?: string;
  readonly tariff?: number;
  readonly harmonic?: string;
  readonly processing?: string;
}

/** An electricity code in words, without channel and billing period; undefined for what no table names. */
export function electricityParts(code: ObisCode): ElectricityParts | undefined {
  const measured = measurement(code);
  if (measured !== undefined) return measurementParts(code, measured);
  if (code.c === 81 && code.d === 7) return { text: `Phase angle ${angleOf(code.e) ?? code.e}` };
  const text = lookUp(ENTRIES, code.c, code.d, code.e);
  return text === undefined ? undefined : { text };
}

function measurementParts(code: ObisCode, measured: Measurement): ElectricityParts {
  const [power, energy] = KIND_WORDS[measured.kind];
  const isEnergy = quantityOf(code)?.endsWith("-energy") === true;
  const { direction, phase, kind } = measured;
  const words = [isEnergy ? energy : power, direction, phase].filter((word) => word !== "");
  const processing = processingOf(code.d, kind);
  const harmonic = harmonicOf(code, kind);
  const tariff = harmonic === undefined && code.e > 0 && code.e <= HIGHEST_TARIFF && code.d !== 7 ? code.e : undefined;
  const parts = [words.join(" "), processing, tariff === undefined ? undefined : `tariff ${tariff}`, harmonic];
  if (code.e !== 0 && tariff === undefined && harmonic === undefined) parts.push(`part ${code.e}`);
  return {
    text: parts.filter((part) => part !== undefined).join(", "),
    ...(phase === "" ? {} : { phase }),
    ...(tariff === undefined ? {} : { tariff }),
    ...(harmonic === undefined ? {} : { harmonic }),
    ...(processing === undefined ? {} : { processing }),
  };
}

function processingOf(d: number, kind: string): string | undefined {
  if (d === 7 || d === 8) return undefined;
  const beyond = BEYOND[d];
  if (beyond !== undefined) return beyond[kind === "voltage" ? 0 : 1];
  return PROCESSING[d] ?? (d >= 128 ? `maker's processing ${d}` : `processing ${d}`);
}

function harmonicOf({ d, e }: ObisCode, kind: string): string | undefined {
  if (e === 0 || !WITH_HARMONICS.has(d) || !HARMONIC_KINDS.has(kind)) return undefined;
  return HARMONICS[e] ?? (e <= HIGHEST_HARMONIC ? `harmonic ${e}` : undefined);
}

const VECTORS = ["U(L1)", "U(L2)", "U(L3)", undefined, "I(L1)", "I(L2)", "I(L3)", "I(N)"];

/** The tens of group E are the vector that is measured to, the ones the vector that is measured from. */
function angleOf(e: number): string | undefined {
  const from = VECTORS[e % 10];
  const to = VECTORS[Math.floor(e / 10)];
  return from === undefined || to === undefined ? undefined : `${from} to ${to}`;
}
