import { derive, smooth } from "../noise.ts";
import {
  dayOfInterval,
  dayOfYear,
  firstIntervalOf,
  intervalAt,
  SLOTS_A_DAY,
  type UnixSeconds,
} from "../time/calendar.ts";

/** What all households of the town share on one day, by quarter hour in standard time. */
export interface DayWeather {
  /** Outdoor temperature in degrees Celsius. */
  readonly temperature: Float32Array;
  /** Output of a solar panel as a share of its rated power, 0 to 1. */
  readonly sun: Float32Array;
  /** How cold the day is as a whole; heating follows the mean more than the moment. */
  readonly meanTemperature: number;
}

const LATITUDE = (47.8 * Math.PI) / 180;
const DAYS_KEPT = 40;

/** The town's weather: a season, a daily swing, fronts that pass every few days, and clouds. A function of the seed alone. */
export class Weather {
  readonly #seed: number;
  readonly #days = new Map<number, DayWeather>();

  constructor(seed: number) {
    this.#seed = derive(seed, 0x5ee7);
  }

  /** Weather of a day (number of the day in standard time). */
  day(day: number): DayWeather {
    const known = this.#days.get(day);
    if (known !== undefined) return known;
    const made = this.#make(day);
    if (this.#days.size >= DAYS_KEPT)
      for (const oldest of this.#days.keys()) {
        this.#days.delete(oldest);
        break;
      }
    this.#days.set(day, made);
    return made;
  }

  /** How cold and how hot it becomes in the 24 hours after a moment, in degrees Celsius. */
  extremesAfter(at: UnixSeconds): { readonly lowest: number; readonly highest: number } {
    const first = intervalAt(at);
    const temperatures = Array.from({ length: SLOTS_A_DAY }, (_, slot) => {
      const day = dayOfInterval(first + slot);
      return this.day(day).temperature[first + slot - firstIntervalOf(day)] ?? 0;
    });
    return { lowest: Math.min(...temperatures), highest: Math.max(...temperatures) };
  }

  #make(day: number): DayWeather {
    const temperature = new Float32Array(SLOTS_A_DAY);
    const sun = new Float32Array(SLOTS_A_DAY);
    const season = dayOfYear(day) / 365.25;
    const declination = -0.4093 * Math.cos(2 * Math.PI * (season + 10 / 365.25));
    let sum = 0;
    for (let slot = 0; slot < SLOTS_A_DAY; slot++) {
      const hour = (slot + 0.5) / 4;
      const moment = day + hour / 24;
      const cloud = 0.5 + 0.35 * smooth(this.#seed + 1, moment * 1.7) + 0.3 * smooth(this.#seed + 2, moment * 14);
      const cover = Math.min(1, Math.max(0, cloud));
      const hourAngle = ((hour - 12) * Math.PI) / 12;
      const elevation =
        Math.sin(LATITUDE) * Math.sin(declination) + Math.cos(LATITUDE) * Math.cos(declination) * Math.cos(hourAngle);
      sun[slot] = elevation <= 0 ? 0 : elevation ** 1.2 * (1 - 0.8 * cover * cover);
      const degrees =
        10.5 -
        10 * Math.cos(2 * Math.PI * (season - 20 / 365.25)) +
        (4 - 2 * cover) * Math.cos(((hour - 15) * Math.PI) / 12) +
        5 * smooth(this.#seed + 3, moment / 2.7);
      temperature[slot] = degrees;
      sum += degrees;
    }
    return { temperature, sun, meanTemperature: sum / SLOTS_A_DAY };
  }
}
