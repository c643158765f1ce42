import type { KeyObject } from "node:crypto";
import { fromHex } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import { isNamed, type KeyName, type KeyRecord } from "../store/records.ts";
import type { Vault } from "../vault/vault.ts";

/** The keys that open an association, as ciphering takes them. */
export interface WorkingKeys extends Disposable {
  readonly encryptionKey: KeyObject;
  /** Travels as additional data: its octets are needed, and zeroed on dispose. */
  readonly authenticationKey: Uint8Array;
}

/** Unseals keys of one meter and setup; the caller disposes of them. @throws CustodyError when one is not there. */
export async function unsealKeys(
  vault: Vault,
  records: readonly KeyRecord[],
  names: readonly KeyName[],
): Promise<SecretKey[]> {
  const wanted = names.map((name) => {
    const { purpose, version } = name;
    const found = records.find((record) => isNamed(record, name));
    if (found === undefined)
      throw new CustodyError("vault-key-unknown", `no key of purpose ${purpose} and version ${version} is in custody`);
    return { place: { ...found, systemTitle: fromHex(found.systemTitle) }, sealed: found.sealed };
  });
  return vault.unseal(wanted);
}

/** Makes working keys of a unicast and an authentication key, which are disposed of. */
export function workingKeys(unicast: SecretKey, authentication: SecretKey): WorkingKeys {
  using encryption = unicast;
  using tag = authentication;
  const authenticationKey = tag.lend((octets) => Uint8Array.from(octets));
  return {
    encryptionKey: encryption.keyObject(),
    authenticationKey,
    [Symbol.dispose]: () => authenticationKey.fill(0),
  };
}
