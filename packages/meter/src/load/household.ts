import { between, derive, uniform } from "../noise.ts";

/** What stands behind a meter. Yearly use and equipment as ranges from which each household draws its own. */
export const HOUSEHOLD_KINDS = {
  flat: { share: 0.34, yearlyKwh: [1200, 2600], curve: "home", heatPump: 0, solar: 0, car: 0 },
  family: { share: 0.28, yearlyKwh: [2800, 5200], curve: "home", heatPump: 0, solar: 0, car: 0 },
  heatPump: { share: 0.1, yearlyKwh: [2600, 4400], curve: "home", heatPump: 1, solar: 0, car: 0 },
  solar: { share: 0.1, yearlyKwh: [2800, 5000], curve: "home", heatPump: 0, solar: 1, car: 0 },
  car: { share: 0.07, yearlyKwh: [2400, 4600], curve: "home", heatPump: 0, solar: 0, car: 1 },
  prosumer: { share: 0.05, yearlyKwh: [3000, 5600], curve: "home", heatPump: 1, solar: 1, car: 1 },
  shop: { share: 0.06, yearlyKwh: [3500, 9000], curve: "shop", heatPump: 0, solar: 0, car: 0 },
} as const satisfies Record<string, HouseholdKindFacts>;

interface HouseholdKindFacts {
  readonly share: number;
  readonly yearlyKwh: readonly [number, number];
  readonly curve: "home" | "shop";
  readonly heatPump: 0 | 1;
  readonly solar: 0 | 1;
  readonly car: 0 | 1;
}

/** Name of a kind of household. */
export type HouseholdKind = keyof typeof HOUSEHOLD_KINDS;

/** One household's constants, all drawn from its seed. Powers in watts. */
export interface Household {
  readonly seed: number;
  readonly kind: HouseholdKind;
  readonly curve: "home" | "shop";
  /** Mean of what people switch on and off, spread by the daily curve. */
  readonly diffuseW: number;
  readonly standbyW: number;
  readonly fridgeW: number;
  /** Electric power of the heat pump at 0 degrees outside; 0 for none. */
  readonly heatPumpW: number;
  /** Rated power of the solar panels; 0 for none. */
  readonly solarW: number;
  /** Charging power of the car; 0 for none. */
  readonly carW: number;
  /** Energy the car takes on an ordinary evening, in Wh. */
  readonly carWh: number;
  /** Reactive power as a share of active power. */
  readonly tangentPhi: number;
  /** Hours by which this household gets up later than most. */
  readonly lateHours: number;
}

function kindFor(seed: number): HouseholdKind {
  let rest = uniform(seed, 1);
  for (const [kind, facts] of Object.entries(HOUSEHOLD_KINDS) as [HouseholdKind, HouseholdKindFacts][]) {
    rest -= facts.share;
    if (rest < 0) return kind;
  }
  return "flat";
}

/** Draws a household from the seed of its meter; `kind` fixes what would be drawn first. */
export function household(meterSeed: number, kind?: HouseholdKind): Household {
  const seed = derive(meterSeed, 0x40e);
  const chosen = kind ?? kindFor(seed);
  const facts: HouseholdKindFacts = HOUSEHOLD_KINDS[chosen];
  const yearlyKwh = between(seed, 2, facts.yearlyKwh[0], facts.yearlyKwh[1]);
  const standbyW = between(seed, 3, 18, 70);
  const fridgeW = between(seed, 4, 22, 48);
  const meanW = (yearlyKwh * 1000) / 8766;
  return {
    seed,
    kind: chosen,
    curve: facts.curve,
    // Cooking and washing, added as events, make up about a fifth.
    diffuseW: Math.max(30, meanW * 0.8 - standbyW - fridgeW),
    standbyW,
    fridgeW,
    heatPumpW: facts.heatPump * between(seed, 5, 900, 2400),
    solarW: facts.solar * Math.round(between(seed, 6, 3.2, 9.8) * 10) * 100,
    carW: facts.car * (uniform(seed, 7) < 0.6 ? 3680 : 11_000),
    carWh: between(seed, 8, 4000, 13_000),
    tangentPhi: between(seed, 9, 0.08, 0.3),
    lateHours: between(seed, 10, -0.8, 1.4),
  };
}
