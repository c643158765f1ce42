import { existsSync, readFileSync } from "node:fs";
import { parseSettings, type SettingValues } from "@meterkeep/api/settings";
import { writePrivate } from "./directories.ts";
import type { StartConfig } from "./options.ts";

const INSTALLATION = {
  version: { kind: "text", description: "The program that made the installation." },
  meters: { kind: "integer", unit: "homes", minimum: 1, maximum: 100_000, description: "Homes of the town." },
  seed: { kind: "text", description: "Seed of the town." },
  utility: { kind: "text", description: "Utility of all meters." },
  island: { kind: "text", description: "Island of all meters." },
} as const;

/** What the first start of a state directory decided for good. */
export type Installation = SettingValues<typeof INSTALLATION>;

/** Reads what the first start decided; the first start itself writes it down. `ignored` names options that come too late. */
export function openInstallation(
  state: string,
  config: StartConfig,
  version: string,
): { readonly installation: Installation; readonly isNew: boolean; readonly ignored: readonly string[] } {
  const file = `${state}/installation.json`;
  const wanted = { meters: config.meters, seed: config.seed, utility: config.utility, island: config.island };
  if (!existsSync(file)) {
    const installation = { version, ...wanted };
    writePrivate(file, `${JSON.stringify(installation, undefined, 2)}\n`);
    return { installation, isNew: true, ignored: [] };
  }
  const installation = parseSettings(INSTALLATION, JSON.parse(readFileSync(file, "utf8")), file);
  const ignored = Object.entries(wanted).flatMap(([name, value]) => {
    const fixed = installation[name as keyof typeof wanted];
    return fixed === value ? [] : [`--${name} ${value} (this state directory was made with ${fixed})`];
  });
  return { installation, isNew: false, ignored };
}
