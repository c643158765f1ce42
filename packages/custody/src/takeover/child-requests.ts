import { createCipheriv } from "node:crypto";
import type { SecretKey } from "@meterkeep/dlms-node";
import { unsealKeys } from "../protocol/meter-keys.ts";
import { setEncryptionKeyRequest, transferKeyRequest } from "../protocol/requests.ts";
import { CHILD, type KeyRecord } from "../store/records.ts";
import type { Vault } from "../vault/vault.ts";
import type { SecretName } from "./journal.ts";
import type { LiveContact } from "./live-contact.ts";

type Held = Pick<LiveContact, "keys">;

/** transfer_key: a child's new key for its device, encrypted under the device's default key (AES-128 in CBC mode, vector zero). */
export async function handedChildKey(
  vault: Vault,
  { keys }: Held,
  { client: channel, ...name }: SecretName,
): Promise<Uint8Array> {
  const own = newestDefaults(keys).find(({ setup }) => setup === channel);
  const under = { purpose: CHILD.default, version: own?.version ?? 0, client: channel };
  const [first, second] = (await unsealKeys(vault, keys, [under, { ...name, client: channel }])) as [
    SecretKey,
    SecretKey,
  ];
  using byDefault = first;
  using fresh = second;
  const wrapped = byDefault.lend((key) =>
    fresh.lend((octets) => {
      const cipher = createCipheriv("aes-128-cbc", key, new Uint8Array(16)).setAutoPadding(false);
      return Buffer.concat([cipher.update(octets), cipher.final()]);
    }),
  );
  return transferKeyRequest(channel, wrapped);
}

/** set_encryption_key: the same key for the meter, in clear under the working keys that seal the request. */
export async function setChildKey(vault: Vault, { keys }: Held, name: SecretName): Promise<Uint8Array> {
  const [secret] = (await unsealKeys(vault, keys, [name])) as [SecretKey];
  using own = secret;
  return own.lend((octets) => setEncryptionKeyRequest(name.client, octets));
}

/** The default key of the device at each channel: another device brings another one. */
export function newestDefaults(keys: readonly KeyRecord[]): KeyRecord[] {
  const newest = new Map<number, KeyRecord>();
  for (const key of keys)
    if (key.purpose === CHILD.default && key.version > (newest.get(key.setup)?.version ?? 0))
      newest.set(key.setup, key);
  return [...newest.values()].sort((one, other) => one.setup - other.setup);
}
