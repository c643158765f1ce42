import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";
import type { CopiedOptions } from "../vault/copied.ts";
import type { RewrapOptions, VaultOptions } from "../vault/run.ts";

/** `meterkeep vault`: what opens the custodian's vault. */
export function registerVault(program: Command, terminal: Terminal): void {
  const vault = program
    .command("vault")
    .summary("change what opens the custodian's vault")
    .description(
      "Change what opens the custodian's vault, while Meterkeep does not run; and say that a copy of it is kept.",
    );
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
  vault
    .command("copied")
    .summary("note that a copy of the root key is kept")
    .description(
      "Note in the custodian's ledger that a copy of what opens the vault is kept elsewhere: its root key, its passphrase, or a second token. Until then the status warns, at every start; after a rewrap it does again.",
    )
    .requiredOption("--where <text>", "where, as people find it: no secret")
    .option("--state <directory>", "as for `meterkeep start`")
    .option("--json", "print JSON")
    .action(async (options: CopiedOptions) => {
      await (await import("../vault/copied.ts")).noteCopy(options, terminal);
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
