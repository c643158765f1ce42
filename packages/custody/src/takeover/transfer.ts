import { fromHex } from "@meterkeep/dlms";
import { nodeKeyWrap, SecretKey } from "@meterkeep/dlms-node";
import { isUnique } from "../keys/purposes.ts";
import { securitySetupName } from "../protocol/meter-facts.ts";
import { unsealKeys } from "../protocol/meter-keys.ts";
import { keyTransferRequest } from "../protocol/requests.ts";
import { keyBytesOfSuite } from "../shipment/key-block.ts";
import { CHILD, inSetup, type KeyName, type KeyRecord, PURPOSE, type SetupPlace } from "../store/records.ts";
import type { Vault } from "../vault/vault.ts";
import type { LiveContact } from "./live-contact.ts";
import type { PreparedTransfer } from "./prepared-transfer.ts";
import { freshSecret, secretClientOf } from "./secret-client.ts";

/** M-Bus devices have AES-128 whatever the suite of their meter (EN 13757-7). */
const CHILD_KEY_BYTES = 16;

/** Generates the keys of a transfer. No key value is ever transferred twice: each has its own octets. */
export async function prepareTransfer(
  vault: Vault,
  { meter, place, journal }: Pick<LiveContact, "meter" | "place" | "journal">,
  names: readonly KeyName[],
  at: number,
): Promise<PreparedTransfer> {
  const keys = names.map((name) =>
    name.client === undefined || name.purpose === CHILD.key
      ? SecretKey.random(name.purpose === CHILD.key ? CHILD_KEY_BYTES : keyBytesOfSuite(meter.securitySuite))
      : freshSecret(secretClientOf({ meter, journal }, { ...name, client: name.client })),
  );
  try {
    return await keptKeys(vault, place, names, keys, at);
  } finally {
    for (const key of keys) key[Symbol.dispose]();
  }
}

/** Seals fresh keys for their places; what comes of it is ready to be stored. */
export async function keptKeys(
  vault: Vault,
  place: SetupPlace,
  names: readonly KeyName[],
  keys: readonly SecretKey[],
  at: number,
): Promise<PreparedTransfer> {
  const systemTitle = fromHex(place.systemTitle);
  const sealed = await vault.seal(
    names.map(({ purpose, version, client }, index) => ({
      place: { ...place, setup: client ?? place.setup, systemTitle, purpose, version },
      key: keys[index] as SecretKey,
    })),
  );
  const checkValues = await vault.checkValues(keys.filter((_, index) => isUnique(names[index]?.purpose as number)));
  const records = names.map(
    ({ purpose, version, client }, index): KeyRecord => ({
      ...place,
      setup: client ?? place.setup,
      purpose,
      version,
      state: "pre-activation",
      origin: "generated",
      sealed: sealed[index] as Uint8Array,
      createdAt: at,
      provenAt: undefined,
    }),
  );
  return { names, records, checkValues };
}

/** The key_transfer that carries prepared keys, wrapped under a version of the master. */
export async function transferRequest(
  vault: Vault,
  { keys, place }: Pick<LiveContact, "keys" | "place">,
  under: number,
  { names }: PreparedTransfer,
): Promise<Uint8Array> {
  const wanted = [{ purpose: PURPOSE.KEK, version: under }, ...names].map((name) => inSetup(name, place.setup));
  const [master, ...fresh] = await unsealKeys(vault, keys, wanted);
  using kek = master as SecretKey;
  try {
    const wrapping = kek.keyObject();
    const wrapped = names.map(({ purpose }, index) => ({
      keyId: purpose,
      wrapped: (fresh[index] as SecretKey).lend((octets) => nodeKeyWrap.wrap(wrapping, octets)),
    }));
    return keyTransferRequest(securitySetupName(place.setup), wrapped);
  } finally {
    for (const key of fresh) key[Symbol.dispose]();
  }
}
