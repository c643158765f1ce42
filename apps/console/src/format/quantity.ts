/** Numbers with their units: a number never appears without one. */

export interface Quantity {
  readonly text: string;
  readonly unit: string;
}

const NARROW_NO_BREAK_SPACE = "\u202f";
const MINUS = "\u2212";

interface Prefix {
  readonly factor: number;
  readonly sign: string;
}

const PREFIXES: readonly Prefix[] = [
  { factor: 1e9, sign: "G" },
  { factor: 1e6, sign: "M" },
  { factor: 1e3, sign: "k" },
  { factor: 1, sign: "" },
];

/** Groups of three digits, `12 345`, with a space that does not break. */
export function formatCount(value: number): string {
  return sign(value, grouped(String(Math.round(Math.abs(value)))));
}

/** Power in W, kW, MW or GW with three significant digits, `1.24 kW`. */
export function formatPower(powerW: number): Quantity {
  return scaled(powerW, "W", 3);
}

/** What a transformer is rated for, `160 kVA`. */
export function formatRating(ratedVa: number): Quantity {
  const { text, unit } = scaled(ratedVa, "VA", 3);
  return { text: text.includes(".") ? text.replace(/\.?0+$/, "") : text, unit };
}

/** Power at the tick of an axis: no digit that says nothing, `50 kW` and not `50.0 kW`. */
export function formatTick(powerW: number): string {
  const { text, unit } = formatPower(powerW);
  return spoken({ text: text.includes(".") ? text.replace(/\.?0+$/, "") : text, unit });
}

/** Energy in Wh, kWh, MWh or GWh; registers keep whole watt-hours (`4 312.586 kWh`), so that a reading can be compared with the meter's display. */
export function formatEnergy(energyWh: number): Quantity {
  if (Math.abs(energyWh) < 1000) return { text: formatCount(energyWh), unit: "Wh" };
  const [whole = "0", fraction = "000"] = (Math.abs(energyWh) / 1000).toFixed(3).split(".");
  return { text: sign(energyWh, `${grouped(whole)}.${fraction}`), unit: "kWh" };
}

/** A value as the meter gave it, in the unit it gave: only the digits are grouped, nothing is rounded or rescaled. */
export function formatGiven(value: number | string | bigint, unit: string | undefined): Quantity {
  if (typeof value === "string") return { text: value, unit: unit ?? "" };
  const [whole = "0", fraction] = String(value).replace("-", "").split(".");
  const digits = grouped(whole) + (fraction === undefined ? "" : `.${fraction}`);
  return { text: sign(Number(value), digits), unit: unit ?? "" };
}

/** Octets as B or kB. */
export function formatOctets(count: number): Quantity {
  return count < 10_000 ? { text: formatCount(count), unit: count === 1 ? "octet" : "octets" } : scaled(count, "B", 3);
}

/** A share of a whole in per cent without digits after the point; `<1 %` and `>99 %` keep their meaning. */
export function formatShare(part: number, whole: number): Quantity {
  if (whole === 0) return { text: "0", unit: "%" };
  const percent = (part / whole) * 100;
  if (part > 0 && percent < 1) return { text: "<1", unit: "%" };
  if (part < whole && percent > 99) return { text: ">99", unit: "%" };
  return { text: String(Math.round(percent)), unit: "%" };
}

/** `1 meter`, `2 meters`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** The quantity as one string, for labels that are read aloud. */
export function spoken(quantity: Quantity): string {
  return quantity.unit === "" ? quantity.text : `${quantity.text} ${quantity.unit}`;
}

function scaled(value: number, unit: string, digits: number): Quantity {
  const size = Math.abs(value);
  const prefix = PREFIXES.find(({ factor }) => roundTo(size / factor, digits) >= 1) ?? { factor: 1, sign: "" };
  const mantissa = roundTo(size / prefix.factor, digits);
  const decimals = prefix.factor === 1 ? 0 : Math.max(0, digits - String(Math.floor(mantissa)).length);
  return { text: sign(value, mantissa.toFixed(decimals)), unit: prefix.sign + unit };
}

function roundTo(value: number, digits: number): number {
  return value === 0 ? 0 : Number(value.toPrecision(digits));
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, NARROW_NO_BREAK_SPACE);
}

function sign(value: number, digits: string): string {
  return value < 0 && /[1-9]/.test(digits) ? MINUS + digits : digits;
}
