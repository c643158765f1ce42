import { HeadEndError } from "../errors.ts";
import { parseRoute, type Route } from "../route/route.ts";
import type { TownTime } from "../time/source-clock.ts";
import { arrayAt, numberAt, objectAt, optionalAt, stringAt, titleAt, within } from "./json.ts";
import { parseJson } from "./json-syntax.ts";
import type { Address } from "./meter.ts";

/** What the town says of itself in `addresses.json`: its time, and where each meter is reached. */
export interface TownAddresses {
  readonly time: TownTime | undefined;
  readonly meters: readonly { readonly systemTitle: string; readonly wan?: Route; readonly depot?: Address }[];
}

/** Reads `addresses.json`. @throws HeadEndError `addresses-invalid` naming the file and the line or field. */
export function parseAddresses(text: string, file = "addresses.json"): TownAddresses {
  try {
    const root = objectAt(parseJson(text), "addresses");
    return {
      time: optionalAt(root, "clock", (object, name) => within(name, () => parseTime(objectAt(object[name], "it")))),
      meters: arrayAt(root, "meters").map((value, at) =>
        within(`meters[${at}]`, () => parseMeter(objectAt(value, "it"))),
      ),
    };
  } catch (cause) {
    throw new HeadEndError("addresses-invalid", `${file}: ${(cause as Error).message}`, { cause });
  }
}

function parseTime(object: Readonly<Record<string, unknown>>): TownTime {
  const time = {
    epoch: stringAt(object, "epoch"),
    wallEpoch: stringAt(object, "wallEpoch"),
    factor: numberAt(object, "factor"),
  };
  if (!(time.factor > 0)) throw new Error(`"factor" must be positive`);
  for (const name of ["epoch", "wallEpoch"] as const)
    if (Number.isNaN(Date.parse(time[name]))) throw new Error(`"${name}" is no time`);
  return time;
}

function parseMeter(object: Readonly<Record<string, unknown>>): TownAddresses["meters"][number] {
  const wan =
    optionalAt(object, "route", (fields) => parseRoute(stringAt(fields, "route"))) ??
    optionalAt(
      object,
      "port",
      (fields): Route => ({
        kind: "tcp",
        ...parseAddress(fields, "host", "port"),
        ...(fields["moves"] === true && { moves: true }),
      }),
    );
  const depot = optionalAt(object, "depotPort", (fields) => parseAddress(fields, "depotHost", "depotPort"));
  return { systemTitle: titleAt(object, "systemTitle"), ...(wan && { wan }), ...(depot && { depot }) };
}

function parseAddress(object: Readonly<Record<string, unknown>>, hostName: string, portName: string): Address {
  const port = numberAt(object, portName);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`${port} is no port`);
  return { host: stringAt(object, hostName), port };
}
