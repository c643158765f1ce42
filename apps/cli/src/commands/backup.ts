import type { Command } from "commander";
import type { RestoreOptions } from "../backup/restore.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep backup`: the custodian's database, sealed. */
export function registerBackup(program: Command, terminal: Terminal): void {
  const backup = program
    .command("backup")
    .summary("back up the custodian, sealed, and verify backups")
    .description("Back up the custodian's database, sealed to recovery keys, and verify backups.");
  operatorCommand(backup, "key", "make a recovery key, whose owner can open backups")
    .argument("<name>", "whose it is, for the ledger")
    .requiredOption("--out <file>", "where its private half goes; keep it apart from the vault's root key")
    .action(async (name: string, options: OperatorOptions & { out: string }) => {
      await (await import("../backup/run.ts")).makeKey(name, options, terminal);
    });
  operatorCommand(backup, "create", "write a backup of the running custodian")
    .requiredOption("--to <directory>", "where to; each backup makes a folder in it")
    .action(async (options: OperatorOptions & { to: string }) => {
      await (await import("../backup/run.ts")).createBackup(options, terminal);
    });
  operatorCommand(backup, "verify", "verify that a backup is whole and stands in the ledger")
    .argument("<directory>", "the backup's folder, or that of all backups: the newest then")
    .option("--keys <file>", "the ledger's keys, as `meterkeep ledger keys --json` wrote them")
    .option("--recovery-key <file>", "opens it as well, to the last octet")
    .action(async (folder: string, options: OperatorOptions & { keys?: string; recoveryKey?: string }) => {
      await (await import("../backup/run.ts")).verifyBackup(folder, options, terminal);
    });
  program
    .command("restore")
    .summary("fill an empty custodian's database from a backup")
    .description("Fill an empty custodian's database from a backup and the change feed, while Meterkeep does not run.")
    .argument("<directory>", "the backup's folder, or that of all backups: the newest then")
    .requiredOption("--recovery-key <file>", "what opens it")
    .option("--root-key <file>", "the vault's root key, where the state directory is new")
    .option("--replace", "keep a custodian's database that is there under another name")
    .option("--state <directory>", "as for `meterkeep start`")
    .option("--database-url <url>", "as for `meterkeep start`")
    .option("--database-suffix <text>", "as for `meterkeep start`")
    .option("--escrow-directory <directory>", "as for `meterkeep start`: the change feed is beside the escrow")
    .option("--utility <name>", "as for `meterkeep start`, where the state directory is new")
    .option("--island <name>", "as for `meterkeep start`, where the state directory is new")
    .option("--json", "print JSON")
    .action(async (folder: string, options: RestoreOptions) => {
      await (await import("../backup/restore.ts")).restore(folder, options, terminal);
    });
}
