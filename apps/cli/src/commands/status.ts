import type { Command } from "commander";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";

/** `meterkeep status`: how the Meterkeep on this machine is. */
export function registerStatus(program: Command, terminal: Terminal): void {
  operatorCommand(program, "status", "say how the running Meterkeep is").action(async (options: OperatorOptions) => {
    const { status } = await import("../operator/commands.ts");
    await status(options, terminal);
  });
}

/** A command that speaks with the Meterkeep on this machine. */
export function operatorCommand(parent: Command, name: string, summary: string): Command {
  return parent
    .command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .option("--state <directory>", "the state directory of the Meterkeep that is meant [env: METERKEEP_STATE]")
    .option("--json", "print JSON");
}
