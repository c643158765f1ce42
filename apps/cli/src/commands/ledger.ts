import { type Command, Option } from "commander";
import type { ExportOptions, WitnessOptions } from "../ledger/run.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep ledger`: what the custodian has written, for whoever trusts nobody. */
export function registerLedger(program: Command, terminal: Terminal): void {
  const ledger = program
    .command("ledger")
    .summary("export and verify the custodian's ledger, witness it")
    .description("Export and verify the custodian's ledger, and witness it.");
  operatorCommand(ledger, "state", "say how the ledger is kept").action(async (options: OperatorOptions) => {
    await (await import("../ledger/run.ts")).ledgerState(options, terminal);
  });
  operatorCommand(
    ledger,
    "keys",
    "print the ledger's name and public keys, to be compared and given to witnesses",
  ).action(async (options: OperatorOptions) => {
    await (await import("../ledger/run.ts")).ledgerKeys(options, terminal);
  });
  operatorCommand(ledger, "rotate-key", "change the keys that sign the ledger").action(
    async (options: OperatorOptions) => {
      await (await import("../ledger/run.ts")).rotateLedgerKey(options, terminal);
    },
  );
  operatorCommand(ledger, "export", "write the whole ledger with its checkpoints to a file")
    .argument("<file>", "where to; - for standard output")
    .action(async (file: string, options: OperatorOptions) => {
      await (await import("../ledger/run.ts")).exportLedger(file, options, terminal);
    });
  verifyCommand(ledger, terminal);
  ledger
    .command("witness")
    .summary("run a second instance that remembers how far ledgers have grown")
    .description("Run a second instance that remembers how far ledgers have grown, and signs what it has seen.")
    .requiredOption("--listen <address>", "unix:/path, or https://host:port")
    .requiredOption("--folder <directory>", "where it keeps its keys and what it has seen")
    .requiredOption("--name <name>", "its name, as the custodian's configuration has it")
    .option("--trust <file...>", "ledgers it witnesses: files that `meterkeep ledger keys --json` wrote")
    .option("--certificate <file>", "of the server, for HTTPS (PEM)")
    .option("--private-key <file>", "of the server, for HTTPS (PEM)")
    .action(async (options: WitnessOptions) => {
      await (await import("../ledger/witness.ts")).runWitness(options, terminal);
    });
  ledger
    .command("approve")
    .summary("sign a change of a halted ledger, as one of two people")
    .description("Sign the change that a halted ledger wants, as one of the two people it takes.")
    .argument("<file>", "the change and its approvals; made where it is not there yet")
    .requiredOption("--name <name>", "as ledger.json has it")
    .requiredOption("--key <file>", "your private key (PKCS #8, PEM): P-384, Ed25519 or ML-DSA-65")
    .option("--change <json>", "the change as `meterkeep ledger state` shows it, where the file is not there yet")
    .option("--reason <text>", "why, for the ledger, where the file is not there yet")
    .action(async (file: string, options: { name: string; key: string; change?: string; reason?: string }) => {
      await (await import("../ledger/approve.ts")).approve(file, options, terminal);
    });
}

function verifyCommand(ledger: Command, terminal: Terminal): void {
  operatorCommand(ledger, "verify", "verify an export offline, or the ledger of a running Meterkeep")
    .argument("[file]", "an export")
    .addOption(new Option("--url <address>", "fetch it from this API instead, with the token in METERKEEP_TOKEN"))
    .option("--entry <number>", "prove that this entry is in the last checkpoint")
    .option("--checkpoint <file>", "an older checkpoint that the ledger must have grown from")
    .option("--log <name>", "the ledger's name, compared by another way")
    .option("--witness <file...>", "witness.json of witnesses whose signatures are verified")
    .action(async (file: string | undefined, options: ExportOptions) => {
      await (await import("../ledger/run.ts")).verifyLedger(file, options, terminal);
    });
}
