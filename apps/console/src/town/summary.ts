/** The town in a few sentences, counted from the meters on the page so that words and picture never disagree. */
import type { FeederLine, GridView, MeterSummary } from "@meterkeep/api";
import { counted } from "../format/quantity.ts";
import { stageOf } from "./stage.ts";

export interface FeederFacts {
  readonly id: string;
  readonly homes: number;
  readonly lit: number;
  readonly dark: number;
  /** Load at the transformer meter, W; undefined until it has been read. */
  readonly loadW: number | undefined;
  readonly loadAt: string | undefined;
  readonly loadTrust: MeterSummary["trust"] | undefined;
  readonly loadStale: boolean;
  readonly loadEvidence: string | undefined;
  readonly ratedW: number;
}

/** Load and supply of every feeder. */
export function feederFacts(grid: GridView, meters: ReadonlyMap<string, MeterSummary>): FeederFacts[] {
  return grid.feeders.map(({ id, transformer, homes }) => {
    let lit = 0;
    let dark = 0;
    for (const home of homes) {
      const supply = meters.get(home)?.supply;
      if (supply === "connected") lit += 1;
      else if (supply === "disconnected") dark += 1;
    }
    const meter = transformer.meter === undefined ? undefined : meters.get(transformer.meter);
    return {
      id,
      homes: homes.length,
      lit,
      dark,
      loadW: meter?.powerW,
      loadAt: meter?.lastReadingAt,
      loadTrust: meter?.trust,
      loadStale: meter?.stale ?? false,
      loadEvidence: meter?.lastReadingEvidence,
      ratedW: transformer.ratedKva * 1000,
    };
  });
}

/** Feeders with dark homes first, then those with lost trust, then stale ones; the rest as the grid has them. */
export function worstFirst(feeders: readonly FeederLine[]): readonly FeederLine[] {
  return feeders.toSorted(
    (one, other) =>
      other.disconnected - one.disconnected || other.quarantined - one.quarantined || other.stale - one.stale,
  );
}

export interface TownFacts {
  readonly homes: number;
  readonly lit: number;
  readonly dark: number;
  readonly unknown: number;
  /** Sum over the feeders that have a load; undefined while none has. */
  readonly loadW: number | undefined;
  readonly feedersWithLoad: number;
  readonly feeders: number;
  /** How far the transformer meters that the sum rests on are trusted, where that is not all the way. */
  readonly loadDoubt: string | undefined;
  readonly stale: number;
}

export function townFacts(grid: GridView, meters: ReadonlyMap<string, MeterSummary>): TownFacts {
  const feeders = feederFacts(grid, meters);
  const sum = (pick: (feeder: FeederFacts) => number) => feeders.reduce((total, feeder) => total + pick(feeder), 0);
  const loaded = feeders.filter((feeder) => feeder.loadW !== undefined);
  const homes = sum((feeder) => feeder.homes);
  const lit = sum((feeder) => feeder.lit);
  const dark = sum((feeder) => feeder.dark);
  let stale = 0;
  for (const meter of meters.values()) if (meter.stale) stale += 1;
  return {
    homes,
    lit,
    dark,
    unknown: homes - lit - dark,
    loadW: loaded.length === 0 ? undefined : loaded.reduce((total, feeder) => total + (feeder.loadW ?? 0), 0),
    feedersWithLoad: loaded.length,
    feeders: feeders.length,
    loadDoubt: doubtOf(loaded),
    stale,
  };
}

/** The one word for those that are not trusted, where one fits all of them. */
function doubtOf(feeders: readonly FeederFacts[]): string | undefined {
  const states = new Set(feeders.flatMap(({ loadTrust }) => (loadTrust === "trusted" ? [] : [loadTrust])));
  const [state] = states;
  return states.size > 1 ? "not all trusted" : state;
}

/** The headline while there is no grid: nothing, or a town on its way in. */
export function emptySentence(meters: number): string {
  return meters === 0 ? "No town yet" : "A town is being imported";
}

/** The headline: what a person wants to know first. */
export function supplySentence({ homes, lit, dark, unknown }: TownFacts): string {
  if (homes === 0) return "No homes yet";
  if (dark > 0) return `${counted(dark, "home is", "homes are")} dark`;
  if (lit === homes) return `All ${counted(homes, "home")} are supplied`;
  if (unknown === homes) return `${counted(homes, "home")}, supply not read yet`;
  return `${counted(lit, "home is", "homes are")} supplied, ${counted(unknown, "has", "have")} not been read yet`;
}

/** What a home says when the focus is on it, in one line for a screen reader. */
export function meterSentence(meter: MeterSummary): string {
  const supply = { connected: "supplied", disconnected: "dark", unknown: "supply not read yet" }[meter.supply];
  const stage = stageOf(meter);
  const way = stage === "shipped" || stage === "taking-over" ? `, ${meter.takeoverPhase.replaceAll("-", " ")}` : "";
  const stale = meter.stale ? ", stale" : "";
  return `${meter.label}, ${supply}, ${meter.trust}${way}${stale}`;
}
