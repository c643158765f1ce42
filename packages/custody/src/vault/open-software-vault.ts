import type { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import type { InstallationRecords, RootRecord, VaultKeys } from "../store/store.ts";
import type { Opening } from "./opening.ts";
import { rewrapped } from "./rewrap.ts";
import { type RootKeySource, rootKeyFromFile, rootKeyFromPassphrase, settleRootKey } from "./root-key.ts";
import { freshRootKeys, openRootKeys, RootKeyRing, rootKeyId, sealRootKeys } from "./root-keys.ts";
import { freshScrypt, type RootParameters, readParameters, writeParameters } from "./root-parameters.ts";
import { softwareVault } from "./software-vault.ts";

const nothing = async (): Promise<void> => undefined;

/**
 * Opens the vault in software; a root key file is made where there is none and nothing was founded with one. A change of the
 * root key that was cut off when it was durable is ended.
 *
 * @throws CustodyError `root-key-wrong`
 */
export async function openSoftwareVault(
  records: { readonly installation: InstallationRecords; readonly vaultKeys: VaultKeys },
  source: RootKeySource,
  stored: RootRecord | undefined,
): Promise<Opening> {
  const isFirst = stored === undefined;
  const known = isFirst ? undefined : readParameters(stored.parameters);
  const scrypt = isFirst && source.kind === "passphrase" ? freshScrypt() : known?.scrypt;
  if (source.kind === "file" && known !== undefined) await settleRootKey(source.path, known.keys.root);
  const { key, created } = await rootKey(source, scrypt, isFirst);
  using root = key;
  const id = rootKeyId(root);
  if (known !== undefined && known.keys.root !== id) throw wrongRootKey(source, id, known.keys.root);
  const keys = known === undefined ? freshRootKeys() : openRootKeys(root, known.keys.version, known.keys.sealed);
  const parameters: RootParameters = known ?? {
    ...(scrypt && { scrypt }),
    keys: { version: keys.version, root: id, sealed: sealRootKeys(root, keys) },
  };
  const ring = new RootKeyRing(keys);
  return {
    vault: softwareVault(ring, records.vaultKeys),
    parameters: writeParameters(parameters),
    created: created || (source.kind === "passphrase" && isFirst),
    rootId: id,
    rewrap: (next) => rewrapped({ ...records, ring, source, rootId: id }, next),
    tend: nothing,
    close: nothing,
  };
}

/** What is given opens another vault, or this one at another time. */
function wrongRootKey(source: RootKeySource, given: string, wanted: string): CustodyError {
  const what = source.kind === "file" ? `the root key ${source.path}` : "the passphrase";
  return new CustodyError(
    "root-key-wrong",
    `${what} (${given}) does not open this vault: the root key ${wanted} does, which a backup from before may not have`,
  );
}

async function rootKey(
  source: RootKeySource,
  scrypt: RootParameters["scrypt"],
  mayCreate: boolean,
): Promise<{ readonly key: SecretKey; readonly created: boolean }> {
  if (source.kind === "file") return rootKeyFromFile(source.path, mayCreate);
  if (scrypt === undefined)
    throw new CustodyError("root-key-wrong", "the vault's record says of no passphrase how it becomes the root key");
  const { salt, ...costs } = scrypt;
  return {
    key: rootKeyFromPassphrase(source.passphrase, { ...costs, salt: Buffer.from(salt, "base64url") }),
    created: false,
  };
}
