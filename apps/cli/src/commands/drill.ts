import type { Command } from "commander";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep drill`: attacks on the simulated town, by real processes over the real channels. */
export function registerDrill(program: Command, terminal: Terminal): void {
  const drill = program
    .command("drill")
    .summary("attack the simulated town and see what holds")
    .description("Attack the simulated town and see what holds. Real meters are never targets.");
  operatorCommand(drill, "break-in", "use the head-end's stolen credentials to switch off the town and take a key")
    .option(
      "--throw-kill-switch",
      "freeze everything critical for real at the thief's first act, and measure it; two people have to thaw it",
    )
    .action(async (options: OperatorOptions & { throwKillSwitch?: boolean }) => {
      const { drillBreakIn } = await import("../operator/commands.ts");
      await drillBreakIn(options, terminal);
    });
  operatorCommand(drill, "restore", "restore a backup beside the running custodian, and compare")
    .requiredOption("--backup <directory>", "the backup's folder, or that of all backups: the newest then")
    .requiredOption("--recovery-key <file>", "what opens it")
    .option("--meters <number>", "with how many meters of the town to associate (default: 10)")
    .action(async (options: OperatorOptions & { backup: string; recoveryKey: string; meters?: string }) => {
      const { drillRestore } = await import("../backup/run.ts");
      await drillRestore(options, terminal);
    });
}
