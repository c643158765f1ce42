import { type Command, Option } from "commander";
import { optionName, START_OPTIONS, variableName } from "../start/options.ts";
import type { Terminal } from "../terminal.ts";

/** Of the options of `start`, those that decide what the machine must have. */
const NAMES = [
  "port",
  "pushPort",
  "listen",
  "state",
  "databaseUrl",
  "databaseSuffix",
  "passphraseFile",
  "userIds",
] as const;

/** `meterkeep doctor`: what keeps Meterkeep from starting on this machine, or makes it worse, each with its fix. */
export function registerDoctor(program: Command, terminal: Terminal): void {
  const command = program
    .command("doctor")
    .description("look for what would keep Meterkeep from starting on this machine, and say how to mend it")
    .option("--json", "print the findings as JSON");
  for (const name of NAMES) {
    const help = `as for start [env: ${variableName(name)}]`;
    command.addOption(new Option(`--${optionName(name)} <value>`, `${START_OPTIONS[name].description} (${help})`));
  }
  command.action(async (given: Readonly<Record<string, string | undefined>>) => {
    const { runDoctor } = await import("../doctor/run.ts");
    await runDoctor(given, terminal);
  });
}
