import { HeadEndError } from "../errors.ts";
import type { TownTime } from "../time/source-clock.ts";
import { numberAt, objectAt, optionalAt, stringAt } from "./json.ts";
import type { Address } from "./meter.ts";

/** What the town says of itself in `addresses.json`: its time, and where each meter is reached. */
export interface TownAddresses {
  readonly time: TownTime | undefined;
  readonly meters: readonly { readonly systemTitle: string; readonly wan?: Address; readonly depot?: Address }[];
}

/** Reads `addresses.json`. @throws HeadEndError `addresses-invalid` naming the field. */
export function parseAddresses(text: string): TownAddresses {
  try {
    const root = objectAt(JSON.parse(text), "addresses");
    return {
      time: optionalAt(root, "clock", (object, name) => parseTime(objectAt(object[name], name))),
      meters: Object.entries(objectAt(root["meters"], "meters")).map(([title, value]) =>
        parseMeter(title, objectAt(value, `meters.${title}`)),
      ),
    };
  } catch (cause) {
    throw new HeadEndError("addresses-invalid", `addresses.json: ${(cause as Error).message}`, { cause });
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

function parseMeter(title: string, object: Readonly<Record<string, unknown>>): TownAddresses["meters"][number] {
  if (!/^[0-9A-F]{16}$/.test(title)) throw new Error(`"${title}" is no system title`);
  const wan = optionalAt(object, "host", stringAt) === undefined ? undefined : parseAddress(object);
  const depot = optionalAt(object, "depot", (outer, name) => parseAddress(objectAt(outer[name], name)));
  return { systemTitle: title, ...(wan && { wan }), ...(depot && { depot }) };
}

function parseAddress(object: Readonly<Record<string, unknown>>): Address {
  const port = numberAt(object, "port");
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`${port} is no port`);
  return { host: stringAt(object, "host"), port };
}
