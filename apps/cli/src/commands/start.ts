import { type Command, Option } from "commander";
import { optionName, START_OPTIONS, variableName } from "../start/options.ts";
import type { Terminal } from "../terminal.ts";

/** `meterkeep start`: everything that Meterkeep is, in one command, until Ctrl-C. */
export function registerStart(program: Command, terminal: Terminal): void {
  const command = program
    .command("start")
    .description("start everything: database, custodian, virtual town, head-end and its console")
    .option("--print-config", "print the options in effect and where each may be set, and do not start")
    .option("--json", "print what happens as JSON lines");
  for (const [name, option] of Object.entries(START_OPTIONS)) {
    const shown = "default" in option ? ` (default: ${option.default})` : "";
    const value = option.kind === "integer" || option.kind === "number" ? "<number>" : "<text>";
    command.addOption(
      new Option(`--${optionName(name)} ${value}`, `${option.description}${shown} [env: ${variableName(name)}]`),
    );
  }
  command.action(async (given: Readonly<Record<string, string | undefined>>) => {
    const { runStart } = await import("../start/run.ts");
    await runStart(given, terminal);
  });
}
