import { directionOf } from "../operation/operation.ts";
import { ANY_TEMPERATURE, DEFAULT_TEMPERATURE } from "../threshold/command-rules.ts";
import { commandRulesOf, type Thresholds } from "../threshold/thresholds.ts";
import type { Finding, GuardFacts, RequestFacts } from "./facts.ts";
import { aboutRequest } from "./finding.ts";
import { WITHOUT_NOTICE } from "./pace.ts";

/** MC-08: nobody loses supply in frost or in great heat, nor while nobody says how cold it is. */
export function temperature({ now, thresholds, weather, request }: GuardFacts): Finding[] {
  if (!asksWeather(request, thresholds)) return [];
  const stop = (sentence: string): Finding[] => [aboutRequest("MC-08", "stop", sentence, request)];
  if (weather === undefined) return stop("the weather office does not answer: nobody is switched off");
  const { leastCelsius, mostCelsius } = temperatureOf(thresholds);
  const { lowestCelsius, highestCelsius, until } = weather;
  if (lowestCelsius < leastCelsius)
    return stop(`it becomes as cold as ${lowestCelsius} °C, and below ${leastCelsius} °C nobody is switched off`);
  if (highestCelsius > mostCelsius)
    return stop(`it becomes as hot as ${highestCelsius} °C, and above ${mostCelsius} °C nobody is switched off`);
  // No office knows the weather of next week: it is asked again when the command is carried out.
  return Math.max(now, request.notBefore) < until
    ? []
    : [aboutRequest("MC-08", "warn", "the weather of that day is asked for when it is done", request)];
}

/**
 * Whether a request is held to the weather: what takes load off a home, unless safety or the grid is the reason. What takes
 * injection off leaves nobody in the cold.
 */
export function asksWeather(
  { operation, reason }: Pick<RequestFacts, "operation" | "reason">,
  thresholds: Thresholds,
): boolean {
  const { leastCelsius, mostCelsius } = temperatureOf(thresholds);
  const isBounded = leastCelsius > ANY_TEMPERATURE.leastCelsius || mostCelsius < ANY_TEMPERATURE.mostCelsius;
  return isBounded && directionOf(operation) === "off" && !WITHOUT_NOTICE.has(reason);
}

function temperatureOf(thresholds: Thresholds) {
  return commandRulesOf(thresholds).temperature ?? DEFAULT_TEMPERATURE;
}
