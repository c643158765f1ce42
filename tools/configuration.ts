/**
 * `node tools/configuration.ts`: writes docs/configuration.md from the declarations of the options and of what each process is
 * told. A test fails when the document is out of date.
 */
import { writeFileSync } from "node:fs";
import { optionName, START_OPTIONS, variableName } from "../apps/cli/src/start/options.ts";
import type { Setting, Settings } from "../packages/api/src/settings.ts";
import {
  CONCENTRATOR_CONFIG,
  CONFIG_VARIABLE,
  CUSTODIAN_CONFIG,
  DEPOT_CONFIG,
  DRILL_CONFIG,
  FACTORY_CONFIG,
  GATE_CONFIG,
  OPERATOR_CONFIG,
  REMOTE_WORKER_CONFIG,
  SERVER_CONFIG,
  TOWN_CONFIG,
  WORKER_CONFIG,
} from "../packages/api/src/supervisor.ts";
import { ROOT } from "./run.ts";

const PROCESSES: Readonly<Record<string, Settings>> = {
  "apps/custodian": CUSTODIAN_CONFIG,
  "apps/server": SERVER_CONFIG,
  "apps/server/src/worker-main.ts": WORKER_CONFIG,
  "apps/server/src/gate/gate-main.ts": GATE_CONFIG,
  "apps/server/src/gate/remote-worker-main.ts": REMOTE_WORKER_CONFIG,
  "apps/depot": DEPOT_CONFIG,
  "apps/town": TOWN_CONFIG,
  "apps/concentrator": CONCENTRATOR_CONFIG,
  "apps/factory": FACTORY_CONFIG,
  "apps/cli/src/drill": DRILL_CONFIG,
  "the commands of meterkeep (var/operator/config.json)": OPERATOR_CONFIG,
};

/** The text of docs/configuration.md. */
export function configurationDocument(): string {
  return `${[
    "# Configuration",
    "",
    "Made from the declarations by `node tools/configuration.ts`. `meterkeep start --print-config` prints what is in effect.",
    "",
    "## Options of `meterkeep start`",
    "",
    "An option on the command line counts before its environment variable, and that before the default.",
    "",
    "| option | variable | default | what |",
    "|---|---|---|---|",
    ...Object.entries<Setting & { default?: string | number | boolean }>(START_OPTIONS).map(
      ([name, option]) =>
        `| \`--${optionName(name)}\` | \`${variableName(name)}\`${name === "databaseUrl" ? ", `DATABASE_URL`" : ""} | ${describeDefault(option)} | ${option.description}${describeRange(option)} |`,
    ),
    "",
    "## Users",
    "",
    "Started as root, each process runs under a number of its own, counted from `--user-ids`: custodian 0, head-end and drills 1,",
    "depot 2, town 3, factory 4, concentrator 5, a worker on another machine 6; the group 9 is shared by those who write into `var/exchange`. 60900 to 60909 are in a range that",
    "systemd documents as unused and need no entry in `/etc/passwd`. PostgreSQL runs as `postgres`, or else as `nobody`.",
    "",
    "## What each process is told",
    "",
    `The supervisor writes these files at every start, each where only its process can read it, and names them in \`${CONFIG_VARIABLE}\`.`,
    "",
    ...Object.entries(PROCESSES).flatMap(([title, settings]) => [
      `### ${title}`,
      "",
      "| setting | kind | what |",
      "|---|---|---|",
      ...rows(settings, ""),
      "",
    ]),
  ]
    .join("\n")
    .trimEnd()}\n`;
}

function rows(settings: Settings, prefix: string): string[] {
  return Object.entries(settings).flatMap(([name, setting]) => {
    const path = `${prefix}${name}`;
    const row = `| \`${path}\`${setting.optional === true ? " (optional)" : ""} | ${describeKind(setting)} | ${setting.description} |`;
    if (setting.kind === "record") return [row, ...rows(setting.fields, `${path}.`)];
    if (setting.kind === "list" && setting.of.kind === "record") return [row, ...rows(setting.of.fields, `${path}[].`)];
    return [row];
  });
}

type Kind = Extract<Setting, { kind: "list" }>["of"];

function describeKind(setting: Kind): string {
  switch (setting.kind) {
    case "integer":
    case "number":
      return `${setting.minimum} to ${setting.maximum} (${setting.unit})`;
    case "choice":
      return setting.of.map((name) => `\`${name}\``).join(", ");
    case "list":
      return `list of ${describeKind(setting.of)}`;
    case "flag":
      return "true or false";
    default:
      return setting.kind;
  }
}

function describeDefault({ default: value }: { readonly default?: unknown }): string {
  return value === undefined ? "none" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function describeRange(option: Setting): string {
  return option.kind === "integer" || option.kind === "number" ? ` ${describeKind(option)}.` : "";
}

if (import.meta.main) writeFileSync(`${ROOT}/docs/configuration.md`, configurationDocument());
