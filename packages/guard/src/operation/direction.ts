/**
 * What an operation does to what flows, for the caps: `off` takes load off the grid, or could; `on` gives it back. `feed-off`
 * takes injection off, as of panels on roofs, and `feed-on` lets it in again. What is taken is counted apart for load and for
 * injection, each under the same numbers; what is given back is never stopped by them.
 */
export const DIRECTIONS = ["off", "on", "feed-off", "feed-on", "none"] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** Whether something is taken off the grid: what caps, calendars and notices are about. */
export function takesOff(direction: Direction): direction is "off" | "feed-off" {
  return direction === "off" || direction === "feed-off";
}

/** Whether something is given back: never stopped, and a few of a transformer at a time. */
export function isRestoring(direction: Direction): direction is "on" | "feed-on" {
  return direction === "on" || direction === "feed-on";
}

/** The directions that are a toggle with this one (MC-05, MC-06); none for what switches nothing. */
export function flowOf(direction: Direction): readonly Direction[] {
  if (direction === "none") return [];
  return direction === "off" || direction === "on" ? ["off", "on"] : ["feed-off", "feed-on"];
}
