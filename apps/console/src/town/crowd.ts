/** Homes that look the same as one path each: a feeder of 1 250 homes is a handful of elements instead of thousands. Pure. */
import { type HomeFacts, homeClasses, outerRadius, stalePath, supplyPath } from "./home-look.ts";
import { TRUST_LOOKS, trustPath } from "./trust.ts";

export interface CrowdHome extends HomeFacts {
  readonly x: number;
  readonly y: number;
  readonly dimmed: boolean;
}

/** Paths of all homes of one look. An empty path is one that this look does not have. */
export interface Crowd {
  readonly classes: string;
  readonly supply: HomeFacts["supply"];
  readonly outline: string;
  readonly shapes: string;
  readonly supplies: string;
  readonly doubles: string;
  readonly stales: string;
}

/** The homes by their look, those singled out last: they are drawn on top. */
export function crowdsOf(homes: readonly CrowdHome[], radius: number): readonly Crowd[] {
  const looks = new Map<string, { readonly first: CrowdHome; readonly classes: string; readonly places: string[] }>();
  for (const home of homes) {
    const classes = homeClasses(home, home.dimmed);
    const key = `${home.trust} ${classes}`;
    let look = looks.get(key);
    if (look === undefined) {
      look = { first: home, classes, places: [] };
      looks.set(key, look);
    }
    look.places.push(`M${home.x} ${home.y}`);
  }
  return [...looks.entries()]
    .toSorted(
      ([a, { first: one }], [b, { first: other }]) => Number(other.dimmed) - Number(one.dimmed) || (a < b ? -1 : 1),
    )
    .map(([, { first, classes, places }]) => {
      const { outline } = TRUST_LOOKS[first.trust];
      const drawn = (path: string) => (path === "" ? "" : places.map((place) => place + path).join(""));
      return {
        classes,
        supply: first.supply,
        outline,
        shapes: drawn(trustPath(first.trust, radius)),
        supplies: drawn(supplyPath(first.supply, radius)),
        doubles: drawn(outline === "double" ? trustPath(first.trust, outerRadius(radius)) : ""),
        stales: drawn(first.stale ? stalePath(radius) : ""),
      };
    });
}
