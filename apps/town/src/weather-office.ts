import type { UnixSeconds, Weather } from "@meterkeep/meter";
import type { OfficeBooks } from "./office.ts";

/** What the office says of the next 24 hours, in degrees Celsius. */
interface Forecast {
  readonly lowestCelsius: number;
  readonly highestCelsius: number;
}

/** The place whose weather the town has. */
const PLACE = "town";
const DAY_MILLISECONDS = 86_400_000;

/**
 * The weather office of the town: of the next 24 hours it says how cold and how hot it becomes, as the homes of the town feel
 * it. `PUT /forecasts/town` makes it say something else from then on.
 */
export function weatherBooks(weather: Weather, townNow: () => UnixSeconds): OfficeBooks {
  let written: Forecast | undefined;
  return {
    name: "weather",
    said: { place: PLACE },
    answer: async (method, path) => {
      if (method !== "GET" || path !== `/forecasts/${PLACE}`) return undefined;
      const from = Date.now();
      return {
        place: PLACE,
        from: new Date(from).toISOString(),
        until: new Date(from + DAY_MILLISECONDS).toISOString(),
        ...(written ?? forecast(weather, townNow())),
      };
    },
    write: (path, body) => {
      if (path !== `/forecasts/${PLACE}`) return false;
      written = body as Forecast;
      return true;
    },
  };
}

function forecast(weather: Weather, at: UnixSeconds): Forecast {
  const { lowest, highest } = weather.extremesAfter(at);
  return { lowestCelsius: tenths(lowest), highestCelsius: tenths(highest) };
}

const tenths = (celsius: number): number => Math.round(celsius * 10) / 10;
