import type { Command } from "commander";
import type { ExportOptions } from "../export/run.ts";
import type { Terminal } from "../terminal.ts";

/** `meterkeep export`: what meters said, for other programs. */
export function registerExport(program: Command, terminal: Terminal): void {
  const parent = program
    .command("export")
    .summary("write what meters said into a file for other programs")
    .description("Write what meters said into a file for other programs: by default only what decisions may use.");
  for (const [what, words, formats] of [
    ["intervals", "write the intervals of load profiles", "csv, parquet, or cim (IEC 61968-9 XML)"],
    ["registers", "write registers and daily values", "csv, parquet, or cim (IEC 61968-9 XML)"],
    ["events", "write what meters wrote into their event logs", "csv or parquet"],
  ] as const)
    parent
      .command(what)
      .summary(words)
      .description(`${words.charAt(0).toUpperCase()}${words.slice(1)}.`)
      .requiredOption("--from <time>", "from this time at the source on, RFC 3339")
      .requiredOption("--to <time>", "up to this time, RFC 3339")
      .option("--format <form>", formats, "csv")
      .option("--meter <system-title>", "of one meter")
      .option(
        "--trust <which>",
        "trusted: what decisions may use; all: the rest as well, and what it is worth",
        "trusted",
      )
      .option("--out <file>", "a new file; to standard output unless given")
      .option("--state <directory>", "the state directory of the Meterkeep that is meant [env: METERKEEP_STATE]")
      .action(async (options: ExportOptions) => {
        const { exportReadings } = await import("../export/run.ts");
        await exportReadings(what, options, terminal);
      });
}
