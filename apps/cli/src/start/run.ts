import packageJson from "../../package.json" with { type: "json" };
import { mayColour, type Terminal, write } from "../terminal.ts";
import { hearTermination } from "../termination.ts";
import { checkoutDirectory } from "./checkout.ts";
import { optionName, START_OPTIONS, variableName } from "./options.ts";
import { jsonReporter, textReporter } from "./reporter.ts";
import { start } from "./start.ts";
import { resolveOptions, type StartConfig } from "./start-config.ts";

/** Runs `meterkeep start` with the options as they were given. */
export async function runStart(
  given: Readonly<Record<string, string | undefined>> & { readonly json?: unknown; readonly printConfig?: unknown },
  terminal: Terminal,
): Promise<void> {
  const config = resolveOptions(given, terminal.env);
  if (given.printConfig !== undefined) return await printConfig(config, terminal);
  const reporter =
    given.json === undefined
      ? textReporter(terminal.stdout, mayColour(terminal, terminal.stdout))
      : jsonReporter(terminal.stdout);
  if (given.json === undefined) await write(terminal.stdout, `Meterkeep ${packageJson.version}\n`);
  using ending = hearTermination(terminal);
  try {
    await start(config, {
      checkout: checkoutDirectory(),
      version: packageJson.version,
      reporter,
      signal: ending.signal,
    });
  } catch (error) {
    // Who stops a start that is still under way gets no complaint about what did not become ready.
    if (!ending.signal.aborted) throw error;
  }
}

async function printConfig(config: StartConfig, terminal: Terminal): Promise<void> {
  const settings = Object.entries(START_OPTIONS).map(([name, { description }]) => ({
    option: `--${optionName(name)}`,
    variable: variableName(name),
    value: hidePassword(config[name as keyof typeof START_OPTIONS]) ?? null,
    description,
  }));
  await write(terminal.stdout, `${JSON.stringify(settings, undefined, 2)}\n`);
}

function hidePassword(value: string | number | undefined): string | number | undefined {
  return typeof value === "string" && value.includes("://") ? value.replace(/:[^:@/]+@/, ":***@") : value;
}
