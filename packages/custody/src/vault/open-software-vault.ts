import { randomBytes } from "node:crypto";
import type { SecretKey } from "@meterkeep/dlms-node";
import type { RootRecord, VaultKeys } from "../store/store.ts";
import type { Opening } from "./opening.ts";
import { DEFAULT_SCRYPT, type RootKeySource, rootKeyFromFile, rootKeyFromPassphrase } from "./root-key.ts";
import { softwareVault } from "./software-vault.ts";

const SALT_BYTES = 16;
const nothing = async (): Promise<void> => undefined;

/** Opens the vault in software; a root key file is made where there is none and nothing was founded with one. */
export async function openSoftwareVault(
  vaultKeys: VaultKeys,
  source: RootKeySource,
  stored: RootRecord | undefined,
): Promise<Opening> {
  const parameters = stored?.parameters ?? newParameters(source);
  const isFirst = stored === undefined;
  const { key, created } = await rootKey(source, parameters, isFirst);
  using root = key;
  return {
    vault: softwareVault(root, vaultKeys),
    parameters,
    created: created || (source.kind === "passphrase" && isFirst),
    tend: nothing,
    close: nothing,
  };
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
