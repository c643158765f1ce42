import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Directories, writePrivate } from "./directories.ts";
import { StartError } from "./error.ts";
import type { StartConfig } from "./options.ts";
import type { ProcessUser } from "./users.ts";

type Config = Pick<StartConfig, "passphraseFile" | "tokensFile" | "secretsDirectory" | "credentialsDirectory">;
type Place = Pick<Directories, "custodian">;

const COPIES = { passphraseFile: "passphrase", tokensFile: "tokens.json" } as const;
const OTHERS = 0o077;

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
 * @throws StartError `file-not-private`
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
    if (!isCredential(original, config) && (statSync(original).mode & OTHERS) !== 0)
      throw new StartError("file-not-private", `others can read ${original}: chmod 600 ${original}`);
    writePrivate(copy, readFileSync(original, "utf8"), user);
  }
}

/** A credential of a systemd unit: it is the unit's alone, by an access list that its mode does not tell. */
function isCredential(file: string, { credentialsDirectory }: Config): boolean {
  return credentialsDirectory !== undefined && dirname(resolve(file)) === resolve(credentialsDirectory);
}

function folderOf({ secretsDirectory }: Config, { custodian }: Place): string {
  return secretsDirectory === undefined ? custodian : `${secretsDirectory}/custodian`;
}
