import { fromHex } from "@meterkeep/dlms";
import { HeadEndError } from "../errors.ts";
import type { ConcentratorPlace } from "../route/concentrators.ts";
import type { ConcentratorRoute } from "../route/route.ts";
import { arrayAt, numberAt, objectAt, stringAt, titleAt, within } from "./json.ts";
import { parseJson } from "./json-syntax.ts";

/** What concentrators.json says: where each concentrator is, and the ways to the meters behind it. */
export interface ToldConcentrators {
  readonly places: readonly ConcentratorPlace[];
  /** By system title. */
  readonly routes: ReadonlyMap<string, ConcentratorRoute>;
}

/** Reads `concentrators.json`. @throws HeadEndError `addresses-invalid` naming the file and the line or field. */
export function parseConcentrators(text: string, file = "concentrators.json"): ToldConcentrators {
  const places: ConcentratorPlace[] = [];
  const routes = new Map<string, ConcentratorRoute>();
  try {
    for (const [at, value] of arrayAt(objectAt(parseJson(text), "concentrators"), "concentrators").entries())
      within(`concentrators[${at}]`, () => {
        const object = objectAt(value, "it");
        const port = numberAt(object, "port");
        if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`${port} is no port`);
        const name = stringAt(object, "name");
        if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) throw new Error(`"${name}" is no name of a concentrator`);
        places.push({ name, host: stringAt(object, "host"), port });
        for (const [n, meter] of arrayAt(object, "meters").entries())
          within(`meters[${n}]`, () => {
            const { title, ...behind } = parseMeter(objectAt(meter, "it"));
            routes.set(title, { kind: "concentrator", concentrator: name, ...behind });
          });
      });
    return { places, routes };
  } catch (cause) {
    throw new HeadEndError("addresses-invalid", `${file}: ${(cause as Error).message}`, { cause });
  }
}

function parseMeter(object: Readonly<Record<string, unknown>>) {
  const networkId = numberAt(object, "networkId");
  if (!Number.isInteger(networkId) || networkId < 0 || networkId > 0xff) throw new Error(`${networkId} is no network`);
  const physicalAddress = stringAt(object, "physicalAddress");
  if (!/^([0-9A-Fa-f]{2}){1,64}$/.test(physicalAddress)) throw new Error(`"${physicalAddress}" is no address in hex`);
  return { title: titleAt(object, "systemTitle"), networkId, physicalAddress: fromHex(physicalAddress) };
}
