import type { Command } from "commander";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep cbom`: the cryptographic bill of materials. */
export function registerCbom(program: Command, terminal: Terminal): void {
  operatorCommand(program, "cbom", "write the cryptographic bill of materials (CycloneDX 1.6) of what is in operation")
    .option("--out <file>", "where it goes; standard output unless given")
    .action(async (options: OperatorOptions & { readonly out?: string }) => {
      await (await import("../cbom/run.ts")).cbom(options, terminal);
    });
}
