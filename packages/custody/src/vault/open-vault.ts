import { randomBytes } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import type { InstallationRecords, RootRecord, VaultKeys } from "../store/store.ts";
import { DEFAULT_SCRYPT, markFounded, type RootKeySource, rootKeyFromFile, rootKeyFromPassphrase } from "./root-key.ts";
import { softwareVault } from "./software-vault.ts";
import type { Vault } from "./vault.ts";

/** An open vault, and what to say about its root key. */
export interface OpenedVault {
  readonly vault: Vault;
  readonly rootKey: RootKeySource["kind"];
  /** True when this opening made the root key. */
  readonly created: boolean;
}

const PROOF = "root-proof";
const SALT_BYTES = 16;

/**
 * Opens the software vault, or founds it where there is none.
 *
 * @throws CustodyError `root-key-wrong` when the root key is not the one the vault was founded with, `vault-root-lost` when
 * there is an installation and no vault, and what `rootKeyFromFile` throws.
 */
export async function openSoftwareVault(
  records: { readonly installation: InstallationRecords; readonly vaultKeys: VaultKeys },
  source: RootKeySource,
  now: number,
): Promise<OpenedVault> {
  const { installation, vaultKeys } = records;
  const stored = await installation.root();
  if (stored !== undefined && stored.kind !== source.kind)
    throw new CustodyError("root-key-wrong", `the vault was founded with a ${stored.kind}, not with a ${source.kind}`);
  if (stored === undefined && (await installation.inUse()))
    throw new CustodyError(
      "vault-root-lost",
      "the database holds a custodian's rows but not the root record of its vault: restore the whole database from one backup, a new vault would open nothing in it",
    );
  const parameters = stored?.parameters ?? newParameters(source);
  const { key, created } = await rootKey(source, parameters, stored === undefined);
  using root = key;
  const vault = softwareVault(root, vaultKeys);
  if (stored === undefined) await found(vault, installation, { kind: source.kind, parameters, createdAt: now });
  else await prove(vault, stored, source);
  if (source.kind === "file") await markFounded(source.path);
  return { vault, rootKey: source.kind, created: created || (source.kind === "passphrase" && stored === undefined) };
}

function newParameters(source: RootKeySource): string {
  if (source.kind === "file") return "";
  return JSON.stringify({ ...DEFAULT_SCRYPT, salt: randomBytes(SALT_BYTES).toString("base64url") });
}

async function rootKey(
  source: RootKeySource,
  parameters: string,
  mayCreate: boolean,
): Promise<{ readonly key: SecretKey; readonly created: boolean }> {
  if (source.kind === "file") return rootKeyFromFile(source.path, mayCreate);
  const { salt, ...costs } = JSON.parse(parameters) as typeof DEFAULT_SCRYPT & { readonly salt: string };
  return {
    key: rootKeyFromPassphrase(source.passphrase, { ...costs, salt: Buffer.from(salt, "base64url") }),
    created: false,
  };
}

async function found(vault: Vault, installation: InstallationRecords, root: Omit<RootRecord, "proof">): Promise<void> {
  using secret = SecretKey.random(SALT_BYTES);
  await installation.insertRoot({ ...root, proof: await vault.sealNamed(PROOF, secret) });
}

async function prove(vault: Vault, stored: RootRecord, source: RootKeySource): Promise<void> {
  try {
    (await vault.unsealNamed(PROOF, stored.proof))[Symbol.dispose]();
  } catch (cause) {
    const which = source.kind === "file" ? `the root key ${source.path}` : "the passphrase";
    throw new CustodyError("root-key-wrong", `${which} does not open this vault`, { cause });
  }
}
