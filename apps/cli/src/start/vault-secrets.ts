import { chmodSync, chownSync, mkdirSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileText, secretText } from "../named-file.ts";
import { type Directories, writePrivate } from "./directories.ts";
import type { StartConfig } from "./start-config.ts";
import type { ProcessUser } from "./users.ts";

type Config = Pick<StartConfig, "passphraseFile" | "tokensFile" | "secretsDirectory" | "credentialsDirectory">;
type Place = Pick<Directories, "custodian">;

const COPIES = { passphraseFile: "passphrase", tokensFile: "tokens.json" } as const;

/** Where the custodian finds its copy of what opens its vault: in its own directory, or in one in memory. */
export function vaultSecretFiles(
  config: Config,
  place: Place,
): { readonly passphraseFile?: string; readonly tokensFile?: string } {
  const folder = folderOf(config, place);
  return {
    ...(config.passphraseFile !== undefined && { passphraseFile: `${folder}/${COPIES.passphraseFile}` }),
    ...(config.tokensFile !== undefined && { tokensFile: `${folder}/${COPIES.tokensFile}` }),
  };
}

/**
 * Gives the custodian copies of its secrets that it may read: the originals belong to the installer, or to systemd. What an
 * earlier start has left elsewhere goes.
 *
 * @throws CliError `file-not-private`, `input-unreadable`
 */
export function importVaultSecrets(config: Config, place: Place, user: ProcessUser | undefined): void {
  const copies = vaultSecretFiles(config, place);
  if (config.secretsDirectory !== undefined) {
    const folder = folderOf(config, place);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    for (const name of Object.values(COPIES)) rmSync(`${place.custodian}/${name}`, { force: true });
  }
  for (const name of ["passphraseFile", "tokensFile"] as const) {
    const [original, copy] = [config[name], copies[name]];
    if (original === undefined || copy === undefined) continue;
    writePrivate(copy, isCredential(original, config) ? fileText(original) : secretText(original), user);
  }
}

/** A credential of a systemd unit: it is the unit's alone, by an access list that its mode does not tell. */
function isCredential(file: string, { credentialsDirectory }: Config): boolean {
  return credentialsDirectory !== undefined && dirname(resolve(file)) === resolve(credentialsDirectory);
}

function folderOf({ secretsDirectory }: Config, { custodian }: Place): string {
  return secretsDirectory === undefined ? custodian : `${secretsDirectory}/custodian`;
}
