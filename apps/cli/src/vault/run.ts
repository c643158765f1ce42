import { inRecoveryProcess } from "../backup/recovery-process.ts";
import { CliError } from "../error.ts";
import { secretText } from "../named-file.ts";
import { type AtRestOptions, type InstallationAtRest, withInstallationAtRest } from "../start/at-rest.ts";
import { type Terminal, write } from "../terminal.ts";

export interface VaultOptions extends AtRestOptions {
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

export interface RewrapOptions extends VaultOptions {
  readonly toPassphraseFile?: string;
  readonly toRootKey?: boolean;
  readonly reason: string;
}

interface RootChanged {
  readonly from: string;
  readonly to: string;
  readonly vaultKeys: number;
  readonly secrets: number;
  readonly former?: string;
}

interface Resealed {
  readonly meters: number;
  readonly keys: number;
  readonly failed: number;
}

const LEAST_CHARACTERS = 12;

/** `meterkeep vault rewrap` */
export async function rewrap(options: RewrapOptions, terminal: Terminal): Promise<void> {
  const { toPassphraseFile, toRootKey = false, reason, json } = options;
  if ((toPassphraseFile !== undefined) === toRootKey)
    throw new CliError(
      "option-invalid",
      "say what shall open the vault from now on: --to-root-key for a new key in custodian/root.key, or --to-passphrase-file FILE (mode 0600)",
    );
  const newPassphrase = toPassphraseFile === undefined ? undefined : longEnough(readSecret(toPassphraseFile));
  const changed = await withInstallationAtRest(options, terminal, async (installation) =>
    inRecoveryProcess<RootChanged>({
      action: "rewrap",
      ...(await jobOf(installation, options)),
      ...(newPassphrase !== undefined && { newPassphrase }),
      reason,
    }),
  );
  const { from, to, vaultKeys, secrets, former } = changed;
  const kept =
    former === undefined
      ? `The former one, ${from}, opens backups from before, and nothing else.`
      : `The former one, ${from}, is in ${former}: it opens backups from before, and nothing else. Take it off this machine.`;
  const how =
    toPassphraseFile === undefined
      ? "Start without --passphrase-file. Back the new custodian/root.key up apart from the database, and say where with `npx meterkeep vault copied --where …`: until then starts warn."
      : `Start with --passphrase-file ${toPassphraseFile}.`;
  const text = `Root key ${to} opens the vault from now on: ${vaultKeys} vault keys and ${secrets} secrets are sealed anew. ${kept}\n${how} Then make a backup, and seal meter keys anew with \`npx meterkeep vault reseal\` while Meterkeep is stopped, as soon as it may be: until then whoever has the former root key and a copy of the database from before opens those that lie here.\n`;
  await write(terminal.stdout, json === true ? `${JSON.stringify(changed)}\n` : text);
}

/** `meterkeep vault reseal` */
export async function reseal(options: VaultOptions, terminal: Terminal): Promise<void> {
  const onStep = options.json === true ? undefined : (step: string) => void write(terminal.stdout, `${step}\n`);
  const done = await withInstallationAtRest(options, terminal, async (installation) =>
    inRecoveryProcess<Resealed>({ action: "reseal", ...(await jobOf(installation, options)) }, onStep),
  );
  const failed =
    done.failed === 0
      ? ""
      : ` ${done.failed} do not open in their place and stay as they are: the entry \`meter-keys-resealed\` names the first 32 (\`meterkeep ledger export\`).`;
  const text = `${done.keys} keys of ${done.meters} meters are sealed anew, under vault keys that no backup from before has.${failed}\n`;
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(done)}\n` : text);
}

async function jobOf({ directories, users, provision }: InstallationAtRest, { passphraseFile }: VaultOptions) {
  return {
    custodian: `${directories.custodian}/config.json`,
    ownerDatabase: (await provision()).owner,
    ...(passphraseFile !== undefined && { passphrase: readSecret(passphraseFile) }),
    ...(users.custodian !== undefined && { user: users.custodian }),
  };
}

function readSecret(path: string): string {
  return secretText(path).replace(/\r?\n$/, "");
}

function longEnough(passphrase: string): string {
  if (passphrase.length < LEAST_CHARACTERS)
    throw new CliError("option-invalid", `the new passphrase has fewer than ${LEAST_CHARACTERS} characters`);
  return passphrase;
}
