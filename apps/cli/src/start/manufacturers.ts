import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CustodianConfig } from "@meterkeep/api/supervisor";
import { CliError } from "../error.ts";
import type { Directories } from "./directories.ts";

type Manufacturer = CustodianConfig["manufacturers"][number];

const FIELDS = ["name", "flag", "ecdsaPublicKey", "mldsaPublicKey"] as const;

/** The folder of the state directory where its owner, and nobody else, says which manufacturers are trusted. */
export const TRUSTED_FOLDER = "manufacturers";

/**
 * The installer's trust: the virtual manufacturer on this machine, whose keys the factory wrote, and the real ones whose
 * `manufacturer.json` the owner has put into {@link TRUSTED_FOLDER}. Only the factory's meters are simulated, wherever a
 * shipment lies: the signature decides, not the folder.
 *
 * @throws {CliError} `manufacturer-invalid`, naming the file and what is wrong
 */
export function trustedManufacturers({ exchange, state }: Pick<Directories, "exchange" | "state">): Manufacturer[] {
  const own = join(exchange, "manufacturer.json");
  const virtual = existsSync(own) ? [{ ...readManufacturer(own), simulated: true }] : [];
  const folder = join(state, TRUSTED_FOLDER);
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  const real = files.sort().map((name) => {
    const file = join(folder, name);
    const maker = readManufacturer(file);
    const same = virtual.find(({ ecdsaPublicKey, mldsaPublicKey, name: called, flag }) => {
      const sharesKey = ecdsaPublicKey === maker.ecdsaPublicKey || mldsaPublicKey === maker.mldsaPublicKey;
      return sharesKey || (called === maker.name && flag === maker.flag);
    });
    if (same !== undefined)
      refuse(file, "has the name or a key of the virtual manufacturer of this machine, whose meters are not real");
    return { ...maker, simulated: false };
  });
  return [...virtual, ...real];
}

function readManufacturer(file: string): Manufacturer {
  const fields = parse(file);
  for (const field of FIELDS)
    if (typeof fields[field] !== "string" || fields[field] === "") refuse(file, `"${field}" is not a text`);
  const { name, flag, ecdsaPublicKey, mldsaPublicKey } = fields as unknown as Manufacturer;
  if (!/^[A-Z]{3}$/.test(flag)) refuse(file, `"flag" is not three capital letters`);
  return { name, flag, ecdsaPublicKey, mldsaPublicKey };
}

function parse(file: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    refuse(file, (error as Error).message);
  }
  return refuse(file, "it is not an object");
}

function refuse(file: string, why: string): never {
  throw new CliError("manufacturer-invalid", `${file}: ${why}. Ask the manufacturer for the file again, or remove it`);
}
