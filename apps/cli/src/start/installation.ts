import { existsSync, readdirSync, readFileSync } from "node:fs";
import { parseSettings, type SettingValues } from "@meterkeep/api/settings";
import { writePrivate } from "./directories.ts";
import { StartError } from "./error.ts";
import type { StartConfig } from "./start-config.ts";

const INSTALLATION = {
  version: { kind: "text", description: "The program that made the installation." },
  meters: { kind: "integer", unit: "homes", minimum: 1, maximum: 100_000, description: "Homes of the town." },
  seed: { kind: "text", description: "Seed of the town." },
  profiles: { kind: "text", optional: true, description: "Companion profiles of the homes with their shares." },
  utility: { kind: "text", description: "Utility of all meters." },
  island: { kind: "text", description: "Island of all meters." },
  databases: {
    kind: "choice",
    of: ["planned", "begun", "made"],
    description: "How far the first start came with the databases.",
  },
} as const;

/**
 * How far an installation's databases are: `planned` (nothing of the kind may exist), `begun` (a start was killed while
 * it made them: anything may exist) or `made` (they must exist).
 */
export type DatabaseStage = "planned" | "begun" | "made";

/** What the first start of a state directory decided for good. */
export type Installation = SettingValues<typeof INSTALLATION>;

/** The record of an installation in its state directory. */
export interface InstallationRecord {
  readonly installation: Installation;
  /** Options that were said and come too late. */
  readonly ignored: readonly string[];
  readonly databases: DatabaseStage;
  /** Writes down how far the databases are. */
  note(databases: DatabaseStage): void;
}

/** Reads what the first start decided; the first start itself writes it down. */
export function openInstallation(state: string, config: StartConfig, version: string): InstallationRecord {
  const file = `${state}/installation.json`;
  const { meters, seed, utility, island, profiles } = config;
  const wanted = { meters, seed, utility, island, ...(profiles !== undefined && { profiles }) };
  const isNew = !existsSync(file);
  const installation: Installation = isNew
    ? { version, ...wanted, databases: "planned" }
    : parseSettings(INSTALLATION, JSON.parse(readFileSync(file, "utf8")), file);
  const note = (databases: DatabaseStage): void =>
    writePrivate(file, `${JSON.stringify({ ...installation, databases }, undefined, 2)}\n`);
  if (isNew) note("planned");
  const ignored = Object.entries(wanted).flatMap(([name, value]) => {
    const fixed = installation[name as keyof typeof wanted];
    return fixed === value || !config.said.has(name)
      ? []
      : [`--${name} ${value} (this state directory was made with ${fixed})`];
  });
  return { installation, ignored, databases: installation.databases, note };
}

/** How far the databases of a state directory are, without making anything: `planned` where there is no installation. */
export function readDatabaseStage(state: string): DatabaseStage {
  const file = `${state}/installation.json`;
  if (!existsSync(file)) return "planned";
  return parseSettings(INSTALLATION, JSON.parse(readFileSync(file, "utf8")), file).databases;
}

/** What Meterkeep itself puts into its state directory; the lock comes with drafts. */
const OURS =
  /^(lock.*|pids|installation\.json.*|recovery\.json|ledger\.json|custodian|head-end|depot|town|factory|concentrator|operator|postgres|exchange|log|(console|field-page)(\.stamp|\.new)?|run|run-directory|program)$/;

/** What no start makes before the installation is written down. */
const PRECIOUS = ["postgres/data", "custodian/root.key", "town/production.jsonl"];

/**
 * Looks at a state directory before anything is written into it.
 *
 * @throws {StartError} `state-foreign` when it is somebody else's, `state-incomplete` when it is what is left of ours
 */
export function checkStateDirectory(state: string): void {
  if (!existsSync(state) || existsSync(`${state}/installation.json`)) return;
  const foreign = readdirSync(state).filter(
    (name) => !OURS.test(name) && !name.startsWith(".") && name !== "lost+found",
  );
  if (foreign.length > 0) {
    throw new StartError(
      "state-foreign",
      `${state} holds files that are not Meterkeep's (${foreign.slice(0, 3).join(", ")}${foreign.length > 3 ? ", …" : ""}): choose an empty directory with --state`,
    );
  }
  const left = PRECIOUS.filter((path) => existsSync(`${state}/${path}`));
  if (left.length === 0) return;
  throw new StartError(
    "state-incomplete",
    `${state} has ${left.join(", ")} but no installation.json: restore the whole directory from one backup, or move it away to start anew`,
  );
}
