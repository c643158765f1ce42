/** Keyboard movement in the diagram: one stop of the tab key, arrows inside. */
import type { LaneLayout } from "./layout.ts";

/** A thing the focus can be on: a home or a feeder's transformer. */
export interface Spot {
  readonly meter: string;
  readonly lane: number;
  readonly row: number;
  readonly x: number;
}

export const ROVING_KEYS = [
  "ArrowLeft",
  "ArrowRight",
  "ArrowUp",
  "ArrowDown",
  "Home",
  "End",
  "PageUp",
  "PageDown",
] as const;
export type RovingKey = (typeof ROVING_KEYS)[number];

export function isRovingKey(key: string): key is RovingKey {
  return (ROVING_KEYS as readonly string[]).includes(key);
}

/** All spots in reading order: lane by lane, row by row, the transformer first in its lane. */
export function spotsOf(
  lanes: readonly {
    readonly transformer: string | undefined;
    readonly transformerX: number;
    readonly layout: LaneLayout;
  }[],
): Spot[] {
  return lanes.flatMap(({ transformer, transformerX, layout }, lane) => [
    ...(transformer === undefined ? [] : [{ meter: transformer, lane, row: 0, x: transformerX }]),
    ...layout.homes.map(({ meter, row, x }) => ({ meter, lane, row, x })),
  ]);
}

/**
 * Where a key leads from `current`. Left and right follow the reading order, up and down go to the nearest spot of the next row (of the next feeder at the edge),
 * Home and End to the ends of the row, page keys to the same place in the next feeder. At the edge of the town the focus stays.
 */
export function moveFocus(spots: readonly Spot[], current: string | undefined, key: RovingKey): string | undefined {
  const at = spots.findIndex((spot) => spot.meter === current);
  const here = spots[at];
  if (here === undefined) return spots[0]?.meter;
  const stay = here.meter;
  const sameRow = (spot: Spot) => spot.lane === here.lane && spot.row === here.row;
  switch (key) {
    case "ArrowLeft":
      return spots[at - 1]?.meter ?? stay;
    case "ArrowRight":
      return spots[at + 1]?.meter ?? stay;
    case "Home":
      return spots.find(sameRow)?.meter ?? stay;
    case "End":
      return spots.findLast(sameRow)?.meter ?? stay;
    case "ArrowUp":
    case "ArrowDown":
      return nearest(rowBeside(spots, here, key === "ArrowDown" ? 1 : -1), here.x) ?? stay;
    case "PageUp":
    case "PageDown": {
      const lane = here.lane + (key === "PageDown" ? 1 : -1);
      return (
        nearest(
          spots.filter((spot) => spot.lane === lane && spot.row === 0),
          here.x,
        ) ?? stay
      );
    }
  }
}

function rowBeside(spots: readonly Spot[], here: Spot, direction: 1 | -1): readonly Spot[] {
  const inLane = spots.filter((spot) => spot.lane === here.lane && spot.row === here.row + direction);
  if (inLane.length > 0) return inLane;
  const lane = spots.filter((spot) => spot.lane === here.lane + direction);
  const row = direction === 1 ? 0 : Math.max(...lane.map((spot) => spot.row));
  return lane.filter((spot) => spot.row === row);
}

function nearest(candidates: readonly Spot[], x: number): string | undefined {
  let best: Spot | undefined;
  for (const spot of candidates) if (best === undefined || Math.abs(spot.x - x) < Math.abs(best.x - x)) best = spot;
  return best?.meter;
}
