import { existsSync, readFileSync } from "node:fs";
import {
  BUILT_IN_PROFILES,
  DlmsError,
  type MeterFacts,
  type ProfileClient,
  parseLayoutFile,
  resolveProfile,
} from "@meterkeep/dlms";
import { CliError } from "../error.ts";

/** What holds where no profile is named: the clients of the Green Book, and the counter where most meters show it. */
const STANDARD: MeterFacts = {
  id: "standard",
  title: "public client 16, management client 1",
  clients: [
    { name: "public", sap: 16, authentication: "none" },
    { name: "management", sap: 1, authentication: "hls-gmac", counter: "0-0:43.1.0" },
  ],
};

/**
 * Chooses the meter profile: the id of a built-in one, or a file of profiles (docs/formats/layouts.md), whose first one
 * that nobody else in it extends is taken.
 *
 * @throws CliError `option-invalid`, `layout-file-invalid`
 */
export function chooseProfile(name: string | undefined): MeterFacts {
  if (name === undefined || name === STANDARD.id) return STANDARD;
  try {
    if (!existsSync(name)) return resolveProfile(name, BUILT_IN_PROFILES);
    const { profiles } = parseLayoutFile(JSON.parse(readFileSync(name, "utf8")));
    const own = profiles.find(({ id }) => !profiles.some((other) => other.extends === id));
    if (own === undefined) throw new CliError("layout-file-invalid", `${name} holds no meter profile`);
    return resolveProfile(own.id, [...profiles, ...BUILT_IN_PROFILES]);
  } catch (error) {
    if (error instanceof DlmsError && !existsSync(name))
      throw new CliError("option-invalid", `--profile ${name}: no file, and none of ${profileNames().join(", ")}`);
    if (error instanceof DlmsError || error instanceof SyntaxError)
      throw new CliError("layout-file-invalid", `--profile ${name}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** The ids that `--profile` takes. */
export function profileNames(): string[] {
  return [STANDARD.id, ...BUILT_IN_PROFILES.map(({ id }) => id)];
}

/** The client of a name, or of an address that stands in the profile. */
export function profileClient({ clients = [] }: MeterFacts, nameOrSap: string | number): ProfileClient | undefined {
  return clients.find(({ name, sap }) => name === nameOrSap || sap === Number(nameOrSap));
}
