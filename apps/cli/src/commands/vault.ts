import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";
import type { RewrapOptions, VaultOptions } from "../vault/run.ts";

/** `meterkeep vault`: what opens the custodian's vault. */
export function registerVault(program: Command, terminal: Terminal): void {
  const vault = program
    .command("vault")
    .summary("change what opens the custodian's vault")
    .description("Change what opens the custodian's vault, while Meterkeep does not run.");
  atRest(vault.command("rewrap"))
    .summary("give the vault another root key")
    .description(
      "Give the vault another root key: a new one in a file, or a passphrase (which may be a credential of systemd). All that was sealed under the former one is sealed anew in one commit; what is cut off changes nothing, or is ended by the next start. Where people approve, the first call plans it and says its hash; once it is approved, while Meterkeep runs, a second call does it.",
    )
    .option("--to-root-key", "a new root key, made in the place of the present one, which is kept under another name")
    .option("--to-passphrase-file <file>", "a passphrase, from a file (mode 0600)")
    .option("--reason <text>", "why, for the ledger", "asked for by the operator")
    .action(async (options: RewrapOptions) => {
      await (await import("../vault/run.ts")).rewrap(options, terminal);
    });
  atRest(vault.command("reseal"))
    .summary("seal meter keys anew under the newest vault keys")
    .description(
      "Seal every meter key anew that lies under a former vault key, some thousand meters a second. It may be cut off and goes on from there.",
    )
    .action(async (options: VaultOptions) => {
      await (await import("../vault/run.ts")).reseal(options, terminal);
    });
}

function atRest(command: Command): Command {
  return command
    .option("--passphrase-file <file>", "what opens the vault now, where that is a passphrase")
    .option("--state <directory>", "as for `meterkeep start`")
    .option("--database-url <url>", "as for `meterkeep start`")
    .option("--database-suffix <text>", "as for `meterkeep start`")
    .option("--json", "print JSON");
}
