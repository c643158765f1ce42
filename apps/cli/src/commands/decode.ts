import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";

/** `meterkeep decode`: a telegram from the field becomes readings, the security facts and warnings. */
export function registerDecode(program: Command, terminal: Terminal): void {
  program
    .command("decode")
    .description("decode a telegram that a meter pushed: readings, what protected them, and what is doubtful")
    .argument("[input]", "hex, a file, tcp://host:port, a serial device, or - for standard input")
    .action(async (input: string | undefined) => {
      terminal.stdout.write(`${input}\n`);
    });
}
