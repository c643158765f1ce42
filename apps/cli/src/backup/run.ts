import { once } from "node:events";
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { simulatedHomes } from "../drill/targets.ts";
import { CliError, EXIT } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { fileText, writeNew } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { operatorConfig } from "../operator/server.ts";
import { checkoutDirectory } from "../start/checkout.ts";
import { RECOVERY_FILE } from "../start/recovery-settings.ts";
import { type Terminal, write } from "../terminal.ts";
import { hearTermination } from "../termination.ts";
import { inRecoveryProcess } from "./recovery-process.ts";

/** Names of the two files of a backup in its folder. */
const SEALED = "custodian.backup";
const MANIFEST = "manifest.json";
const DEFAULT_METERS = 10;

/** `meterkeep backup key` */
export async function makeKey(
  name: string,
  options: OperatorOptions & { readonly out: string },
  terminal: Terminal,
): Promise<void> {
  const { privateText, publicText } = await inRecoveryProcess<{
    readonly privateText: string;
    readonly publicText: string;
  }>({ action: "key", name });
  await writeNew(options.out, privateText, 0o600);
  const file = join(stateOf(options, terminal), RECOVERY_FILE);
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as unknown[]) : [];
  writeFileSync(file, `${JSON.stringify([...known, JSON.parse(publicText)], undefined, 2)}\n`);
  await print(
    terminal,
    options,
    JSON.parse(publicText),
    `${options.out} opens every backup from the next start on: keep it apart from this machine and from the vault's root key.\nIts public half is in ${file}.\n`,
  );
}

/** `meterkeep backup create` */
export async function createBackup(
  options: OperatorOptions & { readonly to: string },
  terminal: Terminal,
): Promise<void> {
  const made = await asOperator(options.state, terminal, async (custodian) => {
    const { backup, id, header } = await custodian.beginBackup({});
    const folder = join(resolve(options.to), `${new Date().toISOString().slice(0, 19).replaceAll(":", "")}-${id}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const sealed = createWriteStream(join(folder, SEALED), { flags: "wx", mode: 0o600, flush: true });
    sealed.write(header);
    let octets = header.length;
    for (;;) {
      const chunk = await custodian.backupChunk({ backup });
      octets += chunk.octets.length;
      if (!sealed.write(chunk.octets)) await once(sealed, "drain");
      if (chunk.isLast) break;
    }
    sealed.end();
    await once(sealed, "close");
    // Last: a folder with a manifest is a whole backup.
    const { manifest } = await custodian.finishBackup({ backup });
    writeFileSync(join(folder, MANIFEST), `${manifest}\n`, { mode: 0o600, flush: true });
    const faults = faultsOf(manifest);
    return { backup: id, folder, octets, ...(faults && { faults }) };
  });
  const words = `${made.folder}\n${made.octets} octets, sealed. It stands in the ledger.${ledgerWords(made.faults)}\n`;
  await print(terminal, options, made, words);
}

/** What people hear of the ledger in a backup, when it is made, looked at and restored. */
export function ledgerWords(faults: { readonly words: string } | undefined): string {
  return faults === undefined
    ? ""
    : `\nSomebody has changed the ledger in it (${faults.words}): the custodian counts that nowhere, and says so when it starts.`;
}

/** What the ledger's entry says of the ledger in a backup. */
function faultsOf(manifest: string): { readonly words: string } | undefined {
  const { entry } = JSON.parse(manifest) as { readonly entry: string };
  return (JSON.parse(entry) as { readonly body: { readonly faults?: { readonly words: string } } }).body.faults;
}

/** `meterkeep backup verify` */
export async function verifyBackup(
  folder: string,
  options: OperatorOptions & { readonly keys?: string; readonly recoveryKey?: string },
  terminal: Terminal,
): Promise<void> {
  const verified = await inRecoveryProcess<{
    readonly facts: {
      readonly backup: string;
      readonly createdAt: number;
      readonly ledgerSize: number;
      readonly rootKey?: string;
      readonly faults?: { readonly words: string };
    };
    readonly log: string;
    readonly keysGiven: boolean;
    readonly lines?: number;
  }>({
    action: "verify",
    ...filesOf(folder),
    ...(options.keys !== undefined && { ledgerKeys: fileText(options.keys) }),
    ...(options.recoveryKey !== undefined && { recoveryKey: fileText(options.recoveryKey) }),
  });
  const { facts, log, keysGiven, lines } = verified;
  const compare = keysGiven ? "" : " (compare the name with `npx meterkeep ledger keys`)";
  const vault = facts.rootKey === undefined ? "" : ` Root key ${facts.rootKey} opens its vault.`;
  const opened = lines === undefined ? "Not opened: no --recovery-key was given." : `Opened: ${lines} lines.`;
  await print(
    terminal,
    options,
    verified,
    `Backup ${facts.backup} of ${new Date(facts.createdAt).toISOString()}, ledger up to entry ${facts.ledgerSize}.${vault}\nSigned by ${log}${compare}. ${opened}${ledgerWords(facts.faults)}\n`,
  );
}

/** `meterkeep drill restore` */
export async function drillRestore(
  options: OperatorOptions & { readonly backup: string; readonly recoveryKey: string; readonly meters?: string },
  terminal: Terminal,
): Promise<void> {
  const { channel, exchangeDirectory } = operatorConfig(options.state, terminal);
  const most = options.meters === undefined ? DEFAULT_METERS : Number(options.meters);
  if (!Number.isInteger(most) || most < 0) throw new CliError("option-invalid", "--meters must be a whole number");
  using ending = hearTermination(terminal);
  const findings = await inRecoveryProcess<readonly { readonly passed: boolean }[]>(
    {
      action: "drill",
      ...filesOf(options.backup),
      recoveryKey: fileText(options.recoveryKey),
      custodian: join(stateOf(options, terminal), "custodian", "config.json"),
      channel,
      meters: (await simulatedHomes(exchangeDirectory)).slice(0, most),
    },
    options.json === true ? undefined : (step) => void write(terminal.stdout, `${step}\n`),
    ending.signal,
  );
  if (options.json === true) await write(terminal.stdout, `${JSON.stringify(findings)}\n`);
  if (findings.some(({ passed }) => !passed)) terminal.exitStatus = EXIT.refused;
}

/** The files of a backup in its folder, or in the newest folder of backups. */
export function filesOf(folder: string): { readonly file: string; readonly manifest: string } {
  const own = resolve(folder);
  const newest = existsSync(own)
    ? readdirSync(own)
        .sort()
        .findLast((name) => existsSync(join(own, name, MANIFEST)))
    : undefined;
  const at = existsSync(join(own, MANIFEST)) ? own : newest === undefined ? undefined : join(own, newest);
  if (at === undefined) throw new CliError("option-invalid", `${folder} holds no whole backup`);
  return { file: join(at, SEALED), manifest: join(at, MANIFEST) };
}

function stateOf(options: OperatorOptions, terminal: Pick<Terminal, "env">): string {
  return resolve(options.state ?? terminal.env["METERKEEP_STATE"] ?? join(checkoutDirectory(), "var"));
}

async function print(terminal: Terminal, options: OperatorOptions, value: unknown, text: string): Promise<void> {
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(value)}\n` : text);
}
