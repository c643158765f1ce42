import { asksWeather, type RequestFacts, type Thresholds, type Weather } from "@meterkeep/guard";
import { numberAt, objectAt } from "../inventory/json.ts";
import { signedOffice, timeAt } from "./signed-office.ts";

/** Who says how cold and how hot it becomes where this island's meters are (MC-08). It throws where nothing can be believed: silence refuses. */
export interface WeatherOffice {
  forecast(): Promise<Weather>;
}

/** No weather office: nobody is switched off for debts, unless people have decided that no temperature matters. */
export const NO_WEATHER: WeatherOffice = { forecast: () => Promise.reject(new Error("no weather office is set up")) };

/** Clocks of two machines differ by less. */
const AHEAD_MILLISECONDS = 300_000;

/** The weather office over HTTP, as {@link signedOffice} says: `GET /forecasts/PLACE` for the hours that have begun. */
export function httpWeather(
  { address, publicKey, place }: { readonly address: string; readonly publicKey: string; readonly place: string },
  now: () => number,
): WeatherOffice {
  const ask = signedOffice("weather office", address, publicKey);
  return {
    forecast: async () => {
      const fields = objectAt(await ask(`/forecasts/${encodeURIComponent(place)}`), "the forecast");
      if (fields["place"] !== place) throw new Error("the weather office speaks of another place");
      const [from, until] = [timeAt(fields, "from"), timeAt(fields, "until")];
      if (from > now() + AHEAD_MILLISECONDS || until <= now()) throw new Error("the forecast is not for now");
      return {
        until,
        lowestCelsius: numberAt(fields, "lowestCelsius"),
        highestCelsius: numberAt(fields, "highestCelsius"),
      };
    },
  };
}

/** What the office says, where a request is held to it; undefined where it is not, or nothing can be believed. */
export async function askWeather(
  office: WeatherOffice,
  request: Pick<RequestFacts, "operation" | "reason">,
  thresholds: Thresholds,
): Promise<Weather | undefined> {
  if (!asksWeather(request, thresholds)) return undefined;
  try {
    return await office.forecast();
  } catch {
    return undefined;
  }
}
