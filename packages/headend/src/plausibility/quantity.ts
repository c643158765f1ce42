/** Drawn from the grid, or fed into it. */
export const DIRECTIONS = ["drawn", "fed"] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** What an OBIS code tells of active energy: what the register stands at in all, in one tariff, or what an interval added. */
export interface EnergyQuantity {
  readonly direction: Direction;
  readonly of: "register" | "tariff" | "interval";
}

/** The energies that the rules judge, by OBIS code. */
export const ENERGIES: Readonly<Record<string, EnergyQuantity>> = {
  "1-0:1.8.0": { direction: "drawn", of: "register" },
  "1-0:1.8.1": { direction: "drawn", of: "tariff" },
  "1-0:1.8.2": { direction: "drawn", of: "tariff" },
  "1-0:2.8.0": { direction: "fed", of: "register" },
  "1-0:1.29.0": { direction: "drawn", of: "interval" },
  "1-0:2.29.0": { direction: "fed", of: "interval" },
};

/** Voltage of the first phase, which every meter has, at one instant. */
export const VOLTAGE = "1-0:32.7.0";
/** The same in a load profile: at one instant, or the mean by two ways of the standard. */
export const VOLTAGES: ReadonlySet<string> = new Set(["1-0:32.27.0", "1-0:32.24.0", VOLTAGE]);

const FACTORS: Readonly<Record<string, number>> = { Wh: 1, kWh: 1_000, MWh: 1_000_000, V: 1, kV: 1_000 };

/** What a value in that unit is multiplied by to be in Wh or V; undefined for a unit that is neither's. */
export function factorOf(unit: string): number | undefined {
  return FACTORS[unit];
}
