import type { MeterProfile } from "../profile/meter-profile.ts";
import { unpackDay } from "../reading/day/packed-day.ts";
import { type Direction, ENERGIES, factorOf, VOLTAGES } from "./quantity.ts";

/** One direction of a meter's day, by slot: NaN where nothing is held. */
export interface EnergyDay {
  /** Wh of each interval. */
  readonly energy: Float64Array;
  /** What the register stood at at the end of each interval, Wh; absent where the profile captures energy itself. */
  readonly register: Float64Array | undefined;
  /** The register at the start of the day, as the day before had it. */
  readonly registerBefore: number | undefined;
}

/** A meter's day as the rules see it. */
export interface MeterDay {
  /** Start of the UTC day at the source, milliseconds since 1970. */
  readonly day: number;
  readonly periodSeconds: number;
  readonly drawn: EnergyDay;
  readonly fed: EnergyDay;
  /** Mean voltage of each interval, V; NaN where it is not known. */
  readonly voltage: Float64Array;
}

/** What a channel number stands for. */
export interface ChannelMeaning {
  readonly obis: string;
  readonly unit: string;
}

/** Slots of a day: slot `n` ends `n + 1` periods after its start. */
export function slotsOf(periodSeconds: number): number {
  return 86_400 / periodSeconds;
}

/**
 * A meter's day from its packed rows, the closed one first: of two values for an instant the first counts. `before` is what the
 * registers stood at at the start of the day.
 */
export function meterDay(
  day: number,
  profile: Pick<MeterProfile, "loadProfile">,
  packed: readonly Uint8Array[],
  channels: ReadonlyMap<number, ChannelMeaning>,
  before: Readonly<Partial<Record<Direction, number>>>,
): MeterDay {
  const { periodSeconds } = profile.loadProfile;
  const slots = slotsOf(periodSeconds);
  const unknown = (): Float64Array => new Float64Array(slots).fill(Number.NaN);
  const registers: Partial<Record<Direction, Float64Array>> = {};
  const energies: Partial<Record<Direction, Float64Array>> = {};
  const voltage = unknown();
  for (const octets of packed)
    for (const { channel, periodSeconds: period, slots: at, values } of unpackDay(octets).channels) {
      const { obis, unit } = channels.get(channel) ?? { obis: "", unit: "" };
      const factor = factorOf(unit) ?? Number.NaN;
      const quantity = ENERGIES[obis];
      let into: Float64Array | undefined;
      if (quantity?.of === "register") into = registers[quantity.direction] ??= unknown();
      else if (quantity?.of === "interval") into = energies[quantity.direction] ??= unknown();
      else if (VOLTAGES.has(obis)) into = voltage;
      if (into === undefined || period !== periodSeconds) continue;
      for (let n = 0; n < at.length; n += 1) {
        const slot = (at[n] as number) - 1;
        if (Number.isNaN(into[slot])) into[slot] = (values[n] as number) * factor;
      }
    }
  const direction = (of: Direction): EnergyDay => {
    const register = registers[of];
    if (register === undefined)
      return { energy: energies[of] ?? unknown(), register: undefined, registerBefore: undefined };
    return { energy: differences(register, before[of]), register, registerBefore: before[of] };
  };
  return { day, periodSeconds, drawn: direction("drawn"), fed: direction("fed"), voltage };
}

function differences(register: Float64Array, before: number | undefined): Float64Array {
  const energy = new Float64Array(register.length);
  let last = before ?? Number.NaN;
  for (let slot = 0; slot < register.length; slot += 1) {
    const now = register[slot] as number;
    energy[slot] = now - last;
    last = now;
  }
  return energy;
}

/** Sum of what is known, and how many are not. */
export function totalOf(energy: Float64Array): { readonly sum: number; readonly missing: number } {
  let [sum, missing] = [0, 0];
  for (const value of energy)
    if (Number.isNaN(value)) missing += 1;
    else sum += value;
  return { sum, missing };
}

/** Energy drawn less energy fed in, of an interval; NaN where it is not known. A meter without the second direction feeds nothing in. */
export function netOf({ drawn, fed }: MeterDay, slot: number): number {
  const back = fed.energy[slot] as number;
  return (drawn.energy[slot] as number) - (Number.isNaN(back) ? 0 : back);
}

/** The steps in which values are told, as far as they show: 1, 10, 100 or 1 000. */
export function resolutionOf(values: Float64Array): number {
  for (const step of [1_000, 100, 10])
    if (values.some((value) => value > 0) && values.every((value) => Number.isNaN(value) || value % step === 0))
      return step;
  return 1;
}
