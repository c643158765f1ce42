import { HeadEndError } from "../errors.ts";
import { arrayAt, numberAt, objectAt, optionalAt, stringAt, titleAt, within } from "./json.ts";
import { parseJson } from "./json-syntax.ts";

/** The grid as `grid.json` tells it: feeders with a transformer meter each and the homes behind it. */
export interface Grid {
  readonly utility: string;
  readonly island: string;
  readonly substation: { readonly id: string; readonly name: string };
  readonly feeders: readonly GridFeeder[];
}

export interface GridFeeder {
  readonly id: string;
  readonly name: string;
  readonly path: "wan" | "depot";
  readonly transformer: { readonly id: string; readonly meter: string; readonly ratedKva: number };
  readonly homes: readonly GridHome[];
}

export interface GridHome {
  readonly meter: string;
  readonly label: string;
  /** `L1`, `L2`, `L3` or `L1-3`. */
  readonly phase: string;
}

/** Reads `grid.json`. @throws HeadEndError `grid-invalid` naming the file and the line or field. */
export function parseGrid(text: string): Grid {
  try {
    const root = objectAt(parseJson(text), "grid");
    const substation = objectAt(root["substation"], "substation");
    const grid: Grid = {
      utility: stringAt(root, "utility"),
      island: stringAt(root, "island"),
      substation: { id: stringAt(substation, "id"), name: stringAt(substation, "name") },
      feeders: arrayAt(root, "feeders").map((feeder, at) => within(`feeders[${at}]`, () => parseFeeder(feeder))),
    };
    refuseRepeated(grid);
    return grid;
  } catch (cause) {
    if (cause instanceof HeadEndError) throw cause;
    throw new HeadEndError("grid-invalid", `grid.json: ${(cause as Error).message}`, { cause });
  }
}

function parseFeeder(value: unknown): GridFeeder {
  const feeder = objectAt(value, "it");
  const path = stringAt(feeder, "path");
  if (path !== "wan" && path !== "depot") throw new Error(`path is "${path}", not wan or depot`);
  const transformer = objectAt(feeder["transformer"], "transformer");
  return {
    id: stringAt(feeder, "id"),
    name: stringAt(feeder, "name"),
    path,
    transformer: {
      id: stringAt(transformer, "id"),
      meter: titleAt(transformer, "meter"),
      ratedKva: numberAt(transformer, "ratedKva"),
    },
    homes: arrayAt(feeder, "homes").map((home, at) => within(`homes[${at}]`, () => parseHome(objectAt(home, "it")))),
  };
}

function parseHome(fields: Readonly<Record<string, unknown>>): GridHome {
  return {
    meter: titleAt(fields, "meter"),
    label: stringAt(fields, "label"),
    phase: PHASES[optionalAt(fields, "phase", numberAt) ?? 0] ?? "L1-3",
  };
}

/** By the file's numbers: 0 for a home on all three. */
const PHASES = ["L1-3", "L1", "L2", "L3"];

function refuseRepeated(grid: Grid): void {
  const seen = new Set<string>();
  for (const feeder of grid.feeders)
    for (const meter of [feeder.transformer.meter, ...feeder.homes.map((home) => home.meter)]) {
      if (seen.has(meter)) throw new Error(`meter ${meter} stands in it twice`);
      seen.add(meter);
    }
}
