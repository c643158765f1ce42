import type { Command } from "commander";
import { addAccessOptions } from "../access/access-options.ts";
import type { AssessOptions } from "../assess/run.ts";
import { type Terminal, write } from "../terminal.ts";

const EXAMPLES = `
Examples:
  npx meterkeep assess tcp://192.168.1.30:4059 --key-file my.json --report sample.html --report sample.json
  npx meterkeep assess tcp://192.168.1.30:4059                       what can be tested without keys
  npx meterkeep assess tcp://192.168.1.30:4059 --key-file my.json --check replayed-request lowered-counter

Exit status: 0 no check failed, 1 a check failed or the meter could not be met, 2 called wrongly.
Test samples, not meters in service: the counter moves on, and what a check writes is what stood there.
`;

/** `meterkeep assess`: the security acceptance test that a buyer runs on a sample meter. */
export function registerAssess(program: Command, terminal: Terminal): void {
  const command = program
    .command("assess")
    .summary("test how a sample meter withstands attacks")
    .description(
      "Try on a sample meter what an attacker would try, and report each check as pass, fail or not testable,\n" +
        "with the octets that show it.",
    )
    .argument("[address]", "tcp://host:port");
  addAccessOptions(command)
    .option("--report <file>", "write a report; .html or .json; may be given several times", collect)
    .option("--check <id...>", "run these checks only")
    .option("--list-checks", "list the checks")
    .option("--lock-out", "also guess wrongly until the meter slows down or locks")
    .option("--patience <seconds>", "how long a meter may turn right keys away after wrong ones", "5")
    .option(
      "--push-listen <[address:]port>",
      "take the meter's pushes there, TCP and UDP; loopback unless an address is named",
    )
    .option("--push-wait <seconds>", "how long to wait for the first push", "60")
    .option("--push-file <file>", "pushes recorded before: hex, one a line")
    .option("--json", "print the report as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (address: string | undefined, options: AssessOptions) => {
      const { assess, checkList } = await import("../assess/run.ts");
      if (options.listChecks === true) return await write(terminal.stdout, checkList());
      if (address === undefined) return command.error("error: missing required argument 'address'");
      await assess(address, options, terminal);
    });
}

function collect(path: string, before: readonly string[] = []): readonly string[] {
  return [...before, path];
}
