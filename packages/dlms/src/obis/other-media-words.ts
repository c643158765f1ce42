import type { ObisCode } from "./code.ts";
import { type CodeTable, lookUp } from "./media.ts";

/** What a value of group C is, and in which unit it is counted. */
type Quantities = Readonly<Record<number, readonly [words: string, unit: string]>>;

/** A medium's tables (IEC 62056-6-1): quantities of group C, processing of group D, and codes that mean one thing. */
interface Medium {
  readonly quantities: Quantities;
  readonly processing: Readonly<Record<number, string>>;
  readonly entries: CodeTable;
}

/** Group D of heat cost allocators, thermal energy and water alike; 0 is the current value. */
const DATES: Readonly<Record<number, string>> = {
  1: "periodical value",
  2: "value at the set date",
  3: "value at the billing date",
  4: "minimum",
  5: "maximum",
  6: "test value",
};

const ENTRIES: CodeTable = {
  "0.0.*": "Identification {e}",
  "0.1.*": "Billing period, fact {e}",
  "0.2.0": "Firmware version",
  "0.2.*": "Program entry {e}",
  "0.4.*": "Nominal value {e}",
  "0.5.*": "Pulse constant {e}",
  "0.8.*": "Measurement period {e}",
  "0.9.*": "Time entry {e}",
  "0.*": "General entry {d}.{e}",
  "93.*": "Consortium value {d}.{e}",
  "94.*": "National value {d}.{e}",
  "96.*": "Service entry {d}.{e}",
  "97.97.*": "Error register",
  "98.*": "List {d}.{e}",
  "99.1.*": "Load profile {e}",
  "99.98.*": "Event log {e}",
  "99.99.*": "Certification log",
  "99.*": "Profile {d}.{e}",
};

const HEAT_COST: Medium = {
  quantities: {
    1: ["Heat cost, unrated", ""],
    2: ["Heat cost, rated", ""],
    3: ["Radiator surface temperature", "°C"],
    4: ["Heating medium temperature", "°C"],
    5: ["Flow temperature", "°C"],
    6: ["Return temperature", "°C"],
    7: ["Room temperature", "°C"],
  },
  processing: DATES,
  entries: ENTRIES,
};

function thermal(medium: string): Medium {
  return {
    quantities: {
      1: [`${medium} energy`, "Wh"],
      2: [`${medium} accounted volume`, "m³"],
      3: [`${medium} accounted mass`, "kg"],
      4: [`${medium} flow volume`, "m³"],
      5: [`${medium} flow mass`, "kg"],
      6: [`${medium} return volume`, "m³"],
      7: [`${medium} return mass`, "kg"],
      8: [`${medium} power`, "W"],
      9: [`${medium} flow rate`, "m³/h"],
      10: [`${medium} flow temperature`, "°C"],
      11: [`${medium} return temperature`, "°C"],
      12: [`${medium} temperature difference`, "K"],
      13: [`${medium} pressure`, "bar"],
    },
    processing: {
      ...DATES,
      7: "now",
      8: "counted",
      9: "since billing",
      10: "running average",
      11: "last average",
      12: "running average of period 2",
      13: "last average of period 2",
      20: "failures",
      21: "duration of failures",
    },
    entries: ENTRIES,
  };
}

function water(medium: string): Medium {
  return {
    quantities: {
      1: [`${medium} volume`, "m³"],
      2: [`${medium} flow rate`, "m³/h"],
      3: [`${medium} temperature`, "°C"],
    },
    processing: DATES,
    entries: ENTRIES,
  };
}

const directed = (what: string) => (direction: string) => `Gas ${what}, ${direction}`;

/** Six in a row of group C: forward and reverse, each undisturbed, disturbed and absolute. */
function volumes(first: number, what: string, unit = "m³"): Quantities {
  const words = directed(what);
  const directions = [
    "forward, undisturbed",
    "forward, disturbed",
    "forward",
    "reverse, undisturbed",
    "reverse, disturbed",
    "reverse",
  ];
  return Object.fromEntries(directions.map((direction, at) => [first + at, [words(direction), unit] as const]));
}

const GAS: Medium = {
  quantities: {
    ...volumes(1, "volume"),
    7: ["Gas volume, encoder", "m³"],
    ...volumes(11, "volume of the converter"),
    ...volumes(21, "volume of the logger"),
    ...volumes(31, "energy of the converter", "Wh"),
    41: ["Gas temperature", "°C"],
    42: ["Gas pressure", "bar"],
    43: ["Gas flow rate", "m³/h"],
    44: ["Velocity of sound in the gas", "m/s"],
    45: ["Gas density, relative", ""],
    46: ["Gas density", "g/m³"],
    47: ["Gas meter error curve", ""],
    48: ["Gas conversion, device", ""],
    49: ["Gas delivery point", ""],
    51: ["Gas correction factor", ""],
    52: ["Gas conversion factor", ""],
    53: ["Gas compressibility", ""],
    54: ["Gas calorific value, superior", "Wh/m³"],
    55: ["Gas law deviation", ""],
    ...volumes(61, "energy", "Wh"),
    70: ["Gas analysis", ""],
  },
  processing: {
    0: "at measuring conditions",
    1: "corrected",
    2: "at base conditions",
    3: "at measuring conditions, current redundant",
    11: "corrected, current redundant",
    12: "at base conditions, current redundant",
    15: "running average of the interval",
    19: "at measuring conditions, last interval",
    21: "maximum of the interval",
    24: "current interval",
    30: "last interval",
  },
  entries: ENTRIES,
};

const MEDIA: Readonly<Record<number, Medium>> = {
  4: HEAT_COST,
  5: thermal("Cooling"),
  6: thermal("Heat"),
  7: GAS,
  8: water("Cold water"),
  9: water("Hot water"),
};

/** Media in which group E is a tariff; gas counts its tariffs so too. */
const HIGHEST_TARIFF = 63;

/** A code of another medium than electricity, in words. */
export interface OtherMediumParts {
  readonly text: string;
  readonly unit?: string;
  readonly tariff?: number;
  readonly processing?: string;
}

/** Takes a code of heat, cooling, gas or water apart; undefined for what no table names. */
export function otherMediumParts({ a, c, d, e }: ObisCode): OtherMediumParts | undefined {
  const medium = MEDIA[a];
  if (medium === undefined) return undefined;
  const quantity = medium.quantities[c];
  if (quantity === undefined) {
    const text = lookUp(medium.entries, c, d, e);
    return text === undefined ? undefined : { text };
  }
  const [words, unit] = quantity;
  const processing = medium.processing[d] ?? (d === 0 ? undefined : `processing ${d}`);
  const tariff = e > 0 && e <= HIGHEST_TARIFF ? e : undefined;
  const parts = [words, processing, tariff === undefined ? undefined : `tariff ${tariff}`];
  return {
    text: parts.filter((part) => part !== undefined).join(", "),
    unit,
    ...(tariff === undefined ? {} : { tariff }),
    ...(processing === undefined ? {} : { processing }),
  };
}
