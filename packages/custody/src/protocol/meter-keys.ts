import type { KeyObject } from "node:crypto";
import { fromHex } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import { isNamed, type KeyName, type KeyRecord } from "../store/records.ts";
import type { PlacedRecord, Vault } from "../vault/vault.ts";

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
  return vault.unseal(placedKeys(records, names));
}

/** The sealed keys of these names, each with its place. @throws CustodyError `vault-key-unknown` when one is not there. */
export function placedKeys(records: readonly KeyRecord[], names: readonly KeyName[]): PlacedRecord[] {
  return names.map((name) => {
    const found = records.find((record) => isNamed(record, name));
    if (found === undefined)
      throw new CustodyError(
        "vault-key-unknown",
        `no key of purpose ${name.purpose} and version ${name.version} is in custody`,
      );
    const { utility, island, setup, purpose, version, sealed } = found;
    const place = { utility, island, systemTitle: fromHex(found.systemTitle), setup, purpose, version };
    return { place, sealed };
  });
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
