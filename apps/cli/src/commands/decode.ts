import type { Command } from "commander";
import type { DecodeOptions } from "../decode/run.ts";
import type { Terminal } from "../terminal.ts";

const EXAMPLES = `
Examples:
  npx meterkeep decode 7EA0…7E                        a telegram as hex
  npx meterkeep decode telegram.hex --key-file my.json
  npx meterkeep decode /dev/ttyUSB0 --serial 2400-8E1
  npx meterkeep decode tcp://192.168.1.20:5000 --json  one JSON object a telegram
  pbpaste | npx meterkeep decode

Exit status: 0 decoded, 1 something was refused, 2 called wrongly.
`;

/** `meterkeep decode`: a telegram from the field becomes readings, the security facts and warnings. */
export function registerDecode(program: Command, terminal: Terminal): void {
  program
    .command("decode")
    .summary("decode what a meter pushed")
    .description(
      "Decode a telegram that a meter pushed: its readings, what protected it, and what is doubtful about it.\n" +
        "HDLC, wired M-Bus, wrapper, P1, block transfer and bare APDUs are told apart by themselves.",
    )
    .argument("[input...]", "hex, files, tcp://host:port, a serial device, or - (or nothing) for standard input")
    .option(
      "--key <hex>",
      "encryption key, for test keys: it shows in the process list; - reads keys from standard input",
    )
    .option("--auth-key <hex>", "authentication key, to check the tag of the telegram")
    .option("--broadcast-key <hex>", "broadcast encryption key")
    .option("--key-file <file>", "JSON file of keys, by meter or for all")
    .option("--system-title <hex>", "system title of a meter that does not send its own")
    .option("--layout <id|file>", "the operator's layout to use, or a file of layouts to add")
    .option("--list-layouts", "list the built-in layouts")
    .option("--remember <file>", "keep what was seen in a file: replays and forgeries of it are refused")
    .option("--serial <settings>", "line settings of a serial device", "2400-8N1")
    .option("--json", "one JSON object a telegram; refusals as JSON on standard error")
    .addHelpText("after", EXAMPLES)
    .action(async (inputs: string[], options: DecodeOptions) => {
      const { decode } = await import("../decode/run.ts");
      await decode(inputs, options, terminal);
    });
}
