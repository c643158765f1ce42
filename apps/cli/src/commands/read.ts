import type { Command } from "commander";
import { addAccessOptions } from "../access/access-options.ts";
import type { ReadOptions } from "../read/run.ts";
import type { Terminal } from "../terminal.ts";

const EXAMPLES = `
Examples:
  npx meterkeep read tcp://192.168.1.30:4059                        what everybody may read
  npx meterkeep read tcp://192.168.1.30:4059 --key-file my.json     as the management client
  npx meterkeep read tcp://192.168.1.30:4059 --key-file my.json --rows 8
  npx meterkeep read tcp://[fe80::1]:4059 --password 12345678 --client 2 --json

Exit status: 0 read, 1 the meter or the line refused, 2 called wrongly.
`;

/** `meterkeep read`: associate with a meter, find out what it holds, and read it. */
export function registerRead(program: Command, terminal: Terminal): void {
  const command = program
    .command("read")
    .summary("read a meter: what it holds, and its readings")
    .description("Associate with a meter over TCP (wrapper), list what it holds and read it. Nothing is changed.")
    .argument("<address>", "tcp://host:port");
  addAccessOptions(command)
    .option("--objects", "list every object")
    .option("--rows <number>", "read so many of the newest rows of each profile", "0")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (address: string, options: ReadOptions) => {
      const { readMeter } = await import("../read/run.ts");
      await readMeter(address, options, terminal);
    });
}
