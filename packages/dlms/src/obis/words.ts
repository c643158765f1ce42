import { formatObis, type ObisCode } from "./code.ts";
import { type Measurement, measurement, quantityOf } from "./quantity.ts";

/** Group A: the medium a value belongs to. */
const MEDIA: Readonly<Record<number, string>> = {
  0: "Abstract",
  1: "Electricity",
  4: "Heat cost",
  5: "Cooling",
  6: "Heat",
  7: "Gas",
  8: "Cold water",
  9: "Hot water",
};

/**
 * Codes that mean one thing. The key leaves out groups A, B and F; the text may name group E as `{e}` and is followed
 * by the channel where group B is not 0. More exact keys come first.
 */
const ABSTRACT: readonly (readonly [key: string, text: string])[] = [
  ["1.0.0", "Clock"],
  ["1.0.*", "Clock {e}"],
  ["17.0.*", "Limiter threshold"],
  ["24.1.0", "M-Bus device"],
  ["24.2.1", "M-Bus meter value"],
  ["24.2.*", "M-Bus meter value {e}"],
  ["24.4.0", "M-Bus valve or relay"],
  ["25.9.0", "Push setup"],
  ["40.0.0", "Current association"],
  ["42.0.0", "Logical device name"],
  ["94.98.31", "Regional value {e}"],
  ["96.1.0", "Meter number"],
  ["96.1.1", "Device identification 2"],
  ["96.1.7", "Meter type"],
  ["96.1.10", "Metering point"],
  ["96.1.*", "Device identification {e}"],
  ["96.3.10", "Disconnect control"],
  ["96.5.*", "Internal operating status"],
  ["96.7.9", "Long power failures"],
  ["96.7.21", "Power failures"],
  ["96.7.*", "Power failures, kind {e}"],
  ["96.8.0", "Operating time"],
  ["96.13.0", "Message to the customer"],
  ["96.13.1", "Code for the customer"],
  ["96.13.*", "Message to the customer {e}"],
  ["96.14.0", "Active tariff"],
  ["97.97.*", "Error register"],
];

const ELECTRICITY: readonly (readonly [key: string, text: string])[] = [
  ["0.0.1", "Identification 1"],
  ["0.0.5", "Meter number (GS1)"],
  ["0.0.*", "Identification {e}"],
  ["0.2.0", "Firmware version"],
  ["0.2.8", "P1 version"],
  ["0.2.129", "List version"],
  ["0.9.1", "Time of day"],
  ["0.9.2", "Date"],
  ["96.1.1", "Meter type"],
  ["96.1.*", "Identification {e}"],
  ["97.97.*", "Error register"],
];

const KIND_WORDS: Readonly<Record<Measurement["kind"], readonly [power: string, energy: string]>> = {
  active: ["Active power", "Active energy"],
  reactive: ["Reactive power", "Reactive energy"],
  apparent: ["Apparent power", "Apparent energy"],
  current: ["Current", "Current"],
  voltage: ["Voltage", "Voltage"],
  "power-factor": ["Power factor", "Power factor"],
  frequency: ["Frequency", "Frequency"],
};

/** Group D of electricity where it is more than "now" (7) and "counted" (8). */
const PROCESSING: Readonly<Record<number, string>> = {
  2: "cumulative maximum",
  3: "minimum",
  4: "running average",
  5: "last average",
  6: "maximum",
  9: "since billing",
  27: "average of the interval",
  29: "of the interval",
  31: "lower limit",
  32: "number of sags",
  33: "duration of sags",
  34: "magnitude of sags",
  35: "upper limit",
  36: "number of swells",
  37: "duration of swells",
  38: "magnitude of swells",
};

/** Says an OBIS code in words: `Active energy import, tariff 1`, `Voltage L2`, `Logical device name`. */
export function obisInWords(code: ObisCode): string {
  const channel = code.b === 0 ? "" : `, channel ${code.b}`;
  const measured = measurement(code);
  const period = code.f === 255 ? "" : `, billing period ${code.f}`;
  if (measured !== undefined) return `${measurementInWords(code, measured)}${channel}${period}`;
  if (code.a === 1 && code.c === 81 && code.d === 7) return `Phase angle ${code.e}${channel}`;
  const text = lookUp(code.a === 0 ? ABSTRACT : ELECTRICITY, code);
  if (text !== undefined && code.a <= 1) return `${text}${channel}${period}`;
  const medium = MEDIA[code.a];
  if (medium === undefined) return `Unknown (${formatObis(code)})`;
  return `${medium} ${code.c}.${code.d}.${code.e}${channel}${period}`;
}

function measurementInWords(code: ObisCode, measured: Measurement): string {
  const [power, energy] = KIND_WORDS[measured.kind];
  const isEnergy = quantityOf(code)?.endsWith("-energy") === true;
  const parts = [isEnergy ? energy : power];
  if (measured.direction !== "") parts.push(measured.direction);
  if (measured.phase !== "") parts.push(measured.phase);
  const processing = PROCESSING[code.d] ?? (code.d === 7 || code.d === 8 ? undefined : `processing ${code.d}`);
  let text = parts.join(" ");
  if (processing !== undefined) text += `, ${processing}`;
  if (code.e !== 0) text += `, ${code.d === 7 ? "harmonic or part" : "tariff"} ${code.e}`;
  return text;
}

function lookUp(table: readonly (readonly [string, string])[], code: ObisCode): string | undefined {
  const exact = `${code.c}.${code.d}.${code.e}`;
  const any = `${code.c}.${code.d}.*`;
  const row = table.find(([key]) => key === exact) ?? table.find(([key]) => key === any);
  return row?.[1].replace("{e}", String(code.e));
}
