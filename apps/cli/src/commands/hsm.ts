import type { Command } from "commander";
import type { ProbeOptions } from "../hsm/probe.ts";
import type { RetryPinOptions } from "../hsm/retry-pin.ts";
import type { Terminal } from "../terminal.ts";

/** `meterkeep hsm probe`: what a PKCS#11 token can really do. */
export function registerHsm(program: Command, terminal: Terminal): void {
  const hsm = program
    .command("hsm")
    .summary("look at PKCS#11 tokens")
    .description("Looks at PKCS#11 tokens, and has a PIN tried again.");
  hsm
    .command("probe")
    .summary("try what Meterkeep would ask of a token")
    .description(
      "Tries what Meterkeep would ask of a token, with objects that last as long as the trial. Without --label, lists the tokens that the library has.",
    )
    .requiredOption("--library <file>", "the maker's PKCS#11 library")
    .option("--label <label>", "the token's label")
    .option("--pin-file <file>", "a file (mode 0600) with the PIN; asked for otherwise")
    .option(
      "--last-try",
      "try the PIN though the token says that another wrong one locks it; a right one has it count anew",
    )
    .option("--json", "print JSON")
    .action(async (options: ProbeOptions) => {
      const { probe } = await import("../hsm/probe.ts");
      await probe(options, terminal);
    });
  hsm
    .command("retry-pin <label>")
    .summary("have a token's PIN tried once more")
    .description(
      "Have the custodian try the PIN of a token again that has refused it: it never does so by itself, since tokens count wrong PINs and lock for good. Put the PIN in the tokens file right first.",
    )
    .option("--last-try", "try it though another wrong one may lock the token: it says so, or has refused two in a row")
    .option("--state <directory>", "as for `meterkeep start`")
    .option("--json", "print JSON")
    .action(async (label: string, options: RetryPinOptions) => {
      await (await import("../hsm/retry-pin.ts")).retryPin(label, options, terminal);
    });
}
