import { bell, between, derive, smooth, uniform } from "../noise.ts";
import { firstIntervalOf, INTERVAL_SECONDS, isSummerTime, SLOTS_A_DAY, weekdayOf } from "../time/calendar.ts";
import type { Household } from "./household.ts";
import type { DayWeather } from "./weather.ts";

/** Net energy of each quarter hour of a day in Wh, whole numbers; negative where the home feeds in. */
export type DayEnergy = Int32Array;

/** Relative use by hour of the local day; each row has a mean of about 1. */
const CURVES = {
  home: {
    weekday: [
      0.45, 0.38, 0.35, 0.34, 0.38, 0.55, 1.05, 1.45, 1.2, 0.85, 0.75, 0.85, 1.05, 0.95, 0.8, 0.8, 0.95, 1.35, 1.9, 2.1,
      1.9, 1.55, 1.1, 0.7,
    ],
    weekend: [
      0.6, 0.48, 0.4, 0.36, 0.36, 0.4, 0.6, 0.95, 1.35, 1.5, 1.45, 1.5, 1.55, 1.25, 1.05, 1.0, 1.05, 1.3, 1.65, 1.75,
      1.6, 1.35, 1.05, 0.8,
    ],
  },
  shop: {
    weekday: [
      0.3, 0.3, 0.3, 0.3, 0.3, 0.4, 0.7, 1.3, 1.8, 1.95, 2.0, 2.0, 1.9, 1.85, 1.9, 1.95, 1.9, 1.75, 1.2, 0.6, 0.4, 0.35,
      0.3, 0.3,
    ],
    weekend: [
      0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.4, 0.8, 1.2, 1.4, 1.4, 1.3, 0.9, 0.6, 0.45, 0.4, 0.35, 0.3, 0.3, 0.3, 0.3, 0.3,
      0.3, 0.3,
    ],
  },
} as const;

/** Things a household switches on for a while: chance on a weekday and at the weekend, earliest and latest start (local hour), power and minutes. */
const APPLIANCES = [
  { weekday: 0.75, weekend: 0.6, from: 6.3, to: 8.2, watts: [900, 1600], minutes: [10, 25] },
  { weekday: 0.7, weekend: 0.65, from: 17.3, to: 20, watts: [1300, 2600], minutes: [25, 60] },
  { weekday: 0.12, weekend: 0.55, from: 11, to: 13, watts: [1500, 2800], minutes: [35, 75] },
  { weekday: 0.3, weekend: 0.45, from: 8, to: 20, watts: [600, 1100], minutes: [60, 110] },
  { weekday: 0.35, weekend: 0.4, from: 19, to: 22.3, watts: [700, 1000], minutes: [50, 90] },
] as const;

function interpolate(curve: readonly number[], hour: number): number {
  const h = (((hour - 0.5) % 24) + 24) % 24;
  const i = Math.floor(h);
  const a = curve[i] ?? 0;
  return a + ((curve[(i + 1) % 24] ?? 0) - a) * (h - i);
}

/** Adds a block of power to the quarter hours it covers; what would run past midnight is left to the caller. */
function addBlock(watts: Float64Array, startHour: number, hours: number, power: number): void {
  const from = startHour * 4;
  const to = (startHour + hours) * 4;
  for (let slot = Math.max(0, Math.floor(from)); slot < Math.min(SLOTS_A_DAY, to); slot++) {
    const covered = Math.min(slot + 1, to) - Math.max(slot, from);
    if (covered > 0) watts[slot] = (watts[slot] ?? 0) + power * covered;
  }
}

/** Whether nobody is at home: now and then a week away. */
function isAway(home: Household, day: number): boolean {
  return home.curve === "home" && uniform(home.seed ^ 0xa3a, Math.floor((day + (home.seed % 9)) / 9)) < 0.05;
}

function addCar(watts: Float64Array, home: Household, day: number, shift: number): void {
  // Yesterday's evening charge may run past midnight.
  for (const [evening, offset] of [
    [day - 1, -24],
    [day, 0],
  ] as const) {
    const seed = derive(home.seed ^ 0xca5, evening);
    if (uniform(seed, 0) > 0.72 || isAway(home, evening)) continue;
    const start = between(seed, 1, 17, 22.5) - shift + offset;
    addBlock(watts, start, (home.carWh * between(seed, 2, 0.4, 1.5)) / home.carW, home.carW);
  }
}

/**
 * Net energy of one household on one day, before its relay is taken into account: a function of the arguments alone.
 * `day` counts days in standard time; people live by local time, so in summer all habits move an hour.
 */
export function dayEnergy(home: Household, weather: DayWeather, day: number): DayEnergy {
  const watts = new Float64Array(SLOTS_A_DAY);
  const weekend = weekdayOf(day) >= 5;
  const shift = isSummerTime(firstIntervalOf(day) * INTERVAL_SECONDS + 43_200) ? 1 : 0;
  const away = isAway(home, day);
  const daySeed = derive(home.seed, day);
  const curve = CURVES[home.curve][weekend ? "weekend" : "weekday"];
  const dayScale = away ? 0 : home.diffuseW * Math.exp(0.2 * bell(daySeed, 1));
  const late = home.lateHours + (weekend ? 0.4 : 0);
  const fridgeSlots = 3 + (home.seed % 3);

  if (!away && home.curve === "home") {
    for (const [n, appliance] of APPLIANCES.entries()) {
      const seed = derive(daySeed, 100 + n);
      if (uniform(seed, 0) > appliance[weekend ? "weekend" : "weekday"]) continue;
      const start = between(seed, 1, appliance.from, appliance.to) + late / 2 - shift;
      const power = between(seed, 2, appliance.watts[0], appliance.watts[1]);
      addBlock(watts, start, between(seed, 3, appliance.minutes[0], appliance.minutes[1]) / 60, power);
    }
  }
  if (home.carW > 0) addCar(watts, home, day, shift);

  const energy = new Int32Array(SLOTS_A_DAY);
  const cold = Math.max(0, 15 - weather.meanTemperature);
  for (let slot = 0; slot < SLOTS_A_DAY; slot++) {
    const hour = (slot + 0.5) / 4 + shift - late;
    const running = (slot + (home.seed % 7)) % fridgeSlots === 0 ? 1.9 : 0.55;
    const restless = Math.exp(0.28 * bell(daySeed, 200 + slot));
    let power = (watts[slot] ?? 0) + home.standbyW + home.fridgeW * running;
    power += dayScale * interpolate(curve, hour) * restless;
    if (home.heatPumpW > 0) {
      const demand = (0.75 * cold + 0.25 * Math.max(0, 15 - (weather.temperature[slot] ?? 15))) / 15;
      const cycle = 1 + 0.35 * smooth(home.seed ^ 0x9ea7, (day * SLOTS_A_DAY + slot) / 3);
      const hotWater = !away && (slot === 20 || slot === 21) ? 0.5 : 0;
      power += home.heatPumpW * (Math.min(1.2, demand) * cycle + hotWater);
    }
    if (home.solarW > 0) power -= home.solarW * 0.92 * (weather.sun[slot] ?? 0) * between(daySeed, 400 + slot, 0.94, 1);
    energy[slot] = Math.round(power / 4);
  }
  return energy;
}
