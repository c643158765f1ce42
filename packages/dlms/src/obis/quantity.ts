import type { ObisCode } from "./code.ts";

/** What an electricity value measures, as far as its OBIS code tells. */
export type Quantity =
  | "active-energy"
  | "reactive-energy"
  | "apparent-energy"
  | "active-power"
  | "reactive-power"
  | "apparent-power"
  | "current"
  | "voltage"
  | "power-factor"
  | "frequency"
  | "angle";

/** The unit in which a quantity is counted before any scaler. */
export const QUANTITY_UNITS: Readonly<Record<Quantity, string>> = {
  "active-energy": "Wh",
  "reactive-energy": "varh",
  "apparent-energy": "VAh",
  "active-power": "W",
  "reactive-power": "var",
  "apparent-power": "VA",
  current: "A",
  voltage: "V",
  "power-factor": "",
  frequency: "Hz",
  angle: "°",
};

type Direction =
  | "import"
  | "export"
  | "quadrant 1"
  | "quadrant 2"
  | "quadrant 3"
  | "quadrant 4"
  | "import and export"
  | "import less export"
  | "";
type Kind = "active" | "reactive" | "apparent" | "current" | "voltage" | "power-factor" | "frequency";

/** Group C of electricity, first the sum of the phases; 20, 40 and 60 higher are the same for L1, L2 and L3. */
const GROUP_C: Readonly<Record<number, { readonly kind: Kind; readonly direction: Direction }>> = {
  1: { kind: "active", direction: "import" },
  2: { kind: "active", direction: "export" },
  3: { kind: "reactive", direction: "import" },
  4: { kind: "reactive", direction: "export" },
  5: { kind: "reactive", direction: "quadrant 1" },
  6: { kind: "reactive", direction: "quadrant 2" },
  7: { kind: "reactive", direction: "quadrant 3" },
  8: { kind: "reactive", direction: "quadrant 4" },
  9: { kind: "apparent", direction: "import" },
  10: { kind: "apparent", direction: "export" },
  11: { kind: "current", direction: "" },
  12: { kind: "voltage", direction: "" },
  13: { kind: "power-factor", direction: "" },
  14: { kind: "frequency", direction: "" },
  15: { kind: "active", direction: "import and export" },
  16: { kind: "active", direction: "import less export" },
  17: { kind: "active", direction: "quadrant 1" },
  18: { kind: "active", direction: "quadrant 2" },
  19: { kind: "active", direction: "quadrant 3" },
  20: { kind: "active", direction: "quadrant 4" },
};

/** Further codes of group C that do not follow the pattern of the phases. */
const SINGLE_C: Readonly<
  Record<number, { readonly kind: Kind; readonly direction: Direction; readonly phase: string }>
> = {
  84: { kind: "power-factor", direction: "export", phase: "" },
  85: { kind: "power-factor", direction: "export", phase: "L1" },
  86: { kind: "power-factor", direction: "export", phase: "L2" },
  87: { kind: "power-factor", direction: "export", phase: "L3" },
  90: { kind: "current", direction: "", phase: "sum" },
  91: { kind: "current", direction: "", phase: "N" },
  92: { kind: "voltage", direction: "", phase: "N" },
};

/** An electricity code taken apart. */
export interface Measurement {
  readonly kind: Kind;
  readonly direction: Direction;
  /** `L1`, `L2`, `L3`, `N`, or empty for the sum of all phases. */
  readonly phase: string;
}

/** Takes an electricity code apart (IEC 62056-6-1, table of group C); undefined for what is no plain measurement. */
export function measurement(code: ObisCode): Measurement | undefined {
  if (code.a !== 1) return undefined;
  const single = SINGLE_C[code.c];
  if (single !== undefined) return single;
  const phase = code.c === 0 || code.c > 80 ? undefined : Math.floor((code.c - 1) / 20);
  if (phase === undefined) return undefined;
  const found = GROUP_C[code.c - phase * 20];
  return found === undefined ? undefined : { ...found, phase: phase === 0 ? "" : `L${phase}` };
}

/** Group D that counts over time: registers (8), since billing (9), intervals (29, 30). */
const ENERGY_D: ReadonlySet<number> = new Set([8, 9, 10, 17, 18, 19, 20, 29, 30, 58]);
/** Group D that is a rate: averages, maxima, minima, instantaneous values. */
const POWER_D: ReadonlySet<number> = new Set([
  0, 2, 3, 4, 5, 6, 7, 13, 14, 15, 16, 21, 22, 23, 24, 25, 26, 27, 28, 51, 52, 53, 54, 55, 56,
]);

/** The quantity behind an OBIS code, undefined where the code does not tell. */
export function quantityOf(code: ObisCode): Quantity | undefined {
  if (code.a === 1 && code.c === 81 && code.d === 7) return "angle";
  const measured = measurement(code);
  if (measured === undefined) return undefined;
  switch (measured.kind) {
    case "active":
    case "reactive":
    case "apparent":
      if (ENERGY_D.has(code.d)) return `${measured.kind}-energy`;
      return POWER_D.has(code.d) ? `${measured.kind}-power` : undefined;
    default:
      // 1-0:32.32.0 counts voltage sags: only rates are volts and amperes.
      return POWER_D.has(code.d) ? measured.kind : undefined;
  }
}
