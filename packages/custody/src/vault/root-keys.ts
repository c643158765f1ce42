import { hkdfSync, type KeyObject } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import type { VaultKeyRecord } from "../store/store.ts";
import { openEnvelope, sealEnvelope } from "./envelope.ts";
import { boundData } from "./key-place.ts";

/** Octets of the root key, of what it opens and of every vault key: AES-256. */
export const VAULT_KEY_BYTES = 32;
const ID_BYTES = 8;

/** What a root key opens: a key for each use, and nothing is sealed under the root key itself. */
export interface RootKeys {
  /** From 1, one more with each root key that the vault has had; it stands in what is sealed under these. */
  readonly version: number;
  /** Vault keys and manufacturers' masters. */
  readonly wrapping: KeyObject;
  /** Secrets of the installation. */
  readonly naming: KeyObject;
  /** Check values of keys. */
  readonly checking: KeyObject;
  /** MACs over what is kept in clear. */
  readonly authenticating: KeyObject;
}

const USES = ["wrapping", "naming", "checking", "authenticating"] as const;

/** The present keys of a vault, which another root key may take the place of. */
export class RootKeyRing {
  #current: RootKeys;

  constructor(current: RootKeys) {
    this.#current = current;
  }

  get current(): RootKeys {
    return this.#current;
  }

  replace(next: RootKeys): void {
    this.#current = next;
  }
}

/** What a vault is founded with. */
export function freshRootKeys(): RootKeys {
  return {
    version: 1,
    wrapping: freshKey(),
    naming: freshKey(),
    checking: freshKey(),
    authenticating: freshKey(),
  };
}

/**
 * What takes their place under another root key. What check values and MACs are made with stays: they stand in rows, in the
 * ledger and on second storage, and keep nothing secret.
 */
export function nextRootKeys({ version, checking, authenticating }: RootKeys): RootKeys {
  return { version: version + 1, wrapping: freshKey(), naming: freshKey(), checking, authenticating };
}

/** What tells root keys apart, and says nothing of one: 16 hex digits. */
export function rootKeyId(rootKey: SecretKey): string {
  return rootKey.lend((bytes) =>
    Buffer.from(hkdfSync("sha256", bytes, new Uint8Array(0), "meterkeep-root-1/id", ID_BYTES)).toString("hex"),
  );
}

/** The keys under their root key; base64. */
export function sealRootKeys(rootKey: SecretKey, keys: RootKeys): string {
  const parts = USES.map((use) => keys[use].export());
  using plain = SecretKey.take(Buffer.concat(parts));
  for (const part of parts) part.fill(0);
  const sealed = plain.lend((bytes) => sealEnvelope(sealing(rootKey), keys.version, rootKeysData(rootKey), bytes));
  return Buffer.from(sealed).toString("base64");
}

/** What `sealRootKeys` wrote. @throws CustodyError `vault-record-not-authentic` under another root key */
export function openRootKeys(rootKey: SecretKey, version: number, sealed: string): RootKeys {
  using plain = openEnvelope(sealing(rootKey), rootKeysData(rootKey), Buffer.from(sealed, "base64"));
  const at = (index: number): KeyObject =>
    plain.lend((bytes) => {
      using key = SecretKey.copy(bytes.subarray(index * VAULT_KEY_BYTES, (index + 1) * VAULT_KEY_BYTES));
      return key.keyObject();
    });
  return { version, wrapping: at(0), naming: at(1), checking: at(2), authenticating: at(3) };
}

/** In the place of a utility: no utility has this name. */
export const MASTERS = "*masters";

/** A vault key, or a manufacturer's master, sealed for its place. */
export function sealVaultKey({ wrapping, version }: RootKeys, place: Omit<VaultKeyRecord, "sealed">, key: SecretKey) {
  return key.lend((bytes) => sealEnvelope(wrapping, version, vaultKeyData(place), bytes));
}

/** @throws CustodyError `vault-record-not-authentic` */
export function openVaultKey({ wrapping }: RootKeys, record: VaultKeyRecord): SecretKey {
  return openEnvelope(wrapping, vaultKeyData(record), record.sealed);
}

/** A secret of the installation under its name. */
export function sealNamedSecret({ naming, version }: RootKeys, name: string, secret: SecretKey): Uint8Array {
  return secret.lend((bytes) => sealEnvelope(naming, version, boundData("meterkeep-vault-1/named", name), bytes));
}

/** @throws CustodyError `vault-record-not-authentic` */
export function openNamedSecret({ naming }: RootKeys, name: string, sealed: Uint8Array): SecretKey {
  return openEnvelope(naming, boundData("meterkeep-vault-1/named", name), sealed);
}

function vaultKeyData({ utility, island, version }: Omit<VaultKeyRecord, "sealed">): Buffer {
  return utility === MASTERS
    ? boundData("meterkeep-vault-1/master", island)
    : boundData("meterkeep-vault-1/vault-key", utility, island, String(version));
}

function rootKeysData(rootKey: SecretKey): Buffer {
  return boundData("meterkeep-vault-1/root-keys", rootKeyId(rootKey));
}

/** What the keys are sealed with: HKDF-SHA-256. */
function sealing(rootKey: SecretKey): KeyObject {
  const info = "meterkeep-root-1/root-keys";
  using key = rootKey.lend((bytes) =>
    SecretKey.take(new Uint8Array(hkdfSync("sha256", bytes, new Uint8Array(0), info, VAULT_KEY_BYTES))),
  );
  return key.keyObject();
}

function freshKey(): KeyObject {
  using key = SecretKey.random(VAULT_KEY_BYTES);
  return key.keyObject();
}
