import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createPool } from "@meterkeep/postgres";
import { CliError } from "../error.ts";
import { fileText } from "../named-file.ts";
import { type AtRestOptions, withInstallationAtRest } from "../start/at-rest.ts";
import { escrowFolder, writePrivate } from "../start/directories.ts";
import { type Terminal, write } from "../terminal.ts";
import { inRecoveryProcess } from "./recovery-process.ts";
import { filesOf, ledgerWords } from "./run.ts";

/** What `meterkeep restore` is told; the rest is what `meterkeep start` takes. */
export interface RestoreOptions extends AtRestOptions {
  readonly recoveryKey: string;
  readonly rootKey?: string;
  readonly replace?: boolean;
  readonly json?: boolean;
}

interface Restored {
  readonly backup: string;
  readonly entries: number;
  readonly backupEntries: number;
  readonly knownUntil: number;
  readonly replayed?: { readonly broken?: string };
  /** What of the ledger is not as it was written. */
  readonly faults?: { readonly words: string };
}

/**
 * `meterkeep restore`: fills an empty custodian's database from a backup and, where there is one, the change feed beside the
 * escrow. Meterkeep must not run in the state directory; `meterkeep start` goes on from there.
 */
export async function restore(folder: string, options: RestoreOptions, terminal: Terminal): Promise<void> {
  // First: what cannot be read is to be said before a database is put aside.
  const rootKey = options.rootKey === undefined ? undefined : fileText(options.rootKey);
  const given = { ...filesOf(folder), recoveryKey: fileText(options.recoveryKey) };
  const restored = await withInstallationAtRest(options, terminal, async (installation) => {
    const { config, directories, users, record, adminUrl, provision } = installation;
    const feedFolder = feedFolderIn(config.escrowDirectory);
    if (rootKey !== undefined) writePrivate(`${directories.custodian}/root.key`, rootKey, users.custodian);
    if (options.replace === true) await setAside(adminUrl, `meterkeep_custodian${config.databaseSuffix ?? ""}`);
    const custodian = await provision();
    record.note("made");
    return inRecoveryProcess<Restored>({
      action: "restore",
      ...given,
      database: custodian.role,
      ownerDatabase: custodian.owner,
      ...(feedFolder !== undefined && { feedFolder }),
    });
  });
  const { backup, entries, backupEntries, knownUntil, replayed, faults } = restored;
  const after =
    replayed === undefined
      ? "No change feed was given (--escrow-directory): what was done since the backup is known by the escrow alone."
      : `The change feed gave ${entries - backupEntries} entries more${replayed.broken === undefined ? "" : `, and then broke off: ${replayed.broken}`}.`;
  const text = `Backup ${backup} is restored, as of ${new Date(knownUntil).toISOString()}, ledger up to entry ${entries}. ${after}${ledgerWords(faults)}\nStart with \`npx meterkeep start\` and the same options: it adopts the escrow and leaves out counters first. Where people are enrolled it starts frozen, and mostly doubts its clock: \`npx meterkeep approvers list\` says so, two people end it by \`npx meterkeep kill-switch thaw\` and \`npx meterkeep clock trust\` (docs/guides/resilience.md).\n`;
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(restored)}\n` : text);
}

/**
 * Where the change feed lies, where an escrow directory was named.
 *
 * @throws {CliError} `option-invalid` where it is not there: a restore that looked for it last had filled a database by then
 */
export function feedFolderIn(escrowDirectory: string | undefined): string | undefined {
  if (escrowDirectory === undefined) return undefined;
  const folder = escrowFolder(resolve(escrowDirectory));
  if (existsSync(folder)) return folder;
  throw new CliError(
    "option-invalid",
    `${folder} is not there, where escrow and change feed are to lie: name the directory that Meterkeep was started with (--escrow-directory), copy custodian/escrow of the former state directory there under that name, or leave the option out`,
  );
}

/** Keeps the database that is there under another name: nothing that opens a meter is deleted. */
async function setAside(adminUrl: string, database: string): Promise<void> {
  const pool = createPool(adminUrl, { applicationName: "meterkeep restore", maxConnections: 1 });
  try {
    const { rows } = await pool.query("select from pg_database where datname = $1", [database]);
    if (rows.length === 0) return;
    const kept = `${database}_before_${new Date().toISOString().replaceAll(/\D/g, "").slice(0, 14)}`;
    await pool.query(`alter database "${database}" rename to "${kept}"`);
  } finally {
    await pool.end();
  }
}
