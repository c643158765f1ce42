import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto";
import type { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../../errors.ts";
import type { VaultSecret } from "../../store/store.ts";
import { counterTexts, derivedKeys } from "../derivation.ts";
import { envelopeKeyVersion, openEnvelope, sealEnvelope } from "../envelope.ts";
import { boundData, keyPlaceData } from "../key-place.ts";
import type { PlacedRecord, Vault } from "../vault.ts";
import { AgreementKeys } from "./agreement-keys.ts";
import { EncryptionKeys, type IslandOfKeys, isOfTokens } from "./encryption-keys.ts";
import type { TokenSet } from "./token-set.ts";
import type { VaultSecrets } from "./vault-secrets.ts";

const SALT_BYTES = 16;
/** Masters of factory keys, in the place of a utility: no utility has this name. */
const MASTERS = "*masters";
/** The installation's own secret: no utility and no island. */
const WHOLE = ["*", "*"] as const;

/**
 * The vault whose secrets are in tokens (ADR 0013).
 *
 * A sealed record is a salt and an envelope: the envelope's key is the HMAC, computed in a token under the secret of the
 * utility and island, over the salt and the place the record belongs to. One operation of a token for each key that is
 * opened, two for each that is sealed; nothing opens without a token.
 */
export async function tokenVault(
  tokens: TokenSet,
  secrets: VaultSecrets,
  islands: readonly IslandOfKeys[] = [],
): Promise<Vault> {
  const encryptionKeys = new EncryptionKeys(tokens, secrets, islands);
  const agreementKeys = new AgreementKeys(tokens, secrets);
  const derivation = new Derivation(tokens);
  const whole = await secrets.current(...WHOLE);
  // Keyed hashes and MACs of rows are made here, under keys of the token for that use alone: they open nothing.
  const [checking, authenticating] = await derivation.agreed(
    whole,
    ["check-values", "records"].map((use) => boundData("meterkeep-vault-2/host-key", use)),
  );
  const seal = async (
    secret: VaultSecret,
    items: readonly { readonly data: Uint8Array; readonly key: SecretKey }[],
  ): Promise<Uint8Array[]> => {
    const salts = items.map(() => randomBytes(SALT_BYTES));
    const keys = await derivation.agreed(
      secret,
      items.map(({ data }, at) => recordText(salts[at]!, data)),
    );
    return items.map(({ data, key }, at) =>
      key.lend((bytes) => Buffer.concat([salts[at]!, sealEnvelope(keys[at]!, secret.version, data, bytes)])),
    );
  };
  const unseal = async (
    secret: VaultSecret,
    items: readonly { readonly data: Uint8Array; readonly sealed: Uint8Array }[],
  ): Promise<SecretKey[]> => {
    const texts = items.map(({ data, sealed }) => recordText(sealed.subarray(0, SALT_BYTES), data));
    const open = (keys: readonly KeyObject[]): SecretKey[] =>
      items.map(({ data, sealed }, at) => openEnvelope(keys[at]!, data, sealed.subarray(SALT_BYTES)));
    try {
      return open(await derivation.once(secret, texts));
    } catch (error) {
      if (!(error instanceof CustodyError) || error.code !== "vault-record-not-authentic") throw error;
      // Before a record is called false, its key is derived until two sessions agree on it.
      return open(await derivation.agreed(secret, texts));
    }
  };
  const vault: Vault = {
    kind: "tokens",
    seal: async (keys) => {
      const sealed: Uint8Array[] = [];
      const stays = keys.map((key) => encryptionKeys.takes(key));
      for (const [at, key] of keys.entries()) if (stays[at]) sealed[at] = await encryptionKeys.seal(key);
      for (const [{ utility, island }, all] of byIsland(keys)) {
        const group = all.filter(({ at }) => !stays[at]);
        if (group.length === 0) continue;
        const items = group.map(({ item: { place, key } }) => ({ data: keyPlaceData(place), key }));
        const records = await seal(await secrets.current(utility, island), items);
        for (const [at, record] of records.entries()) sealed[group[at]!.at] = record;
      }
      return sealed;
    },
    unseal: async (records) => {
      const opened: SecretKey[] = [];
      const stays = records.map(({ sealed }) => isOfTokens(sealed));
      for (const [at, record] of records.entries()) if (stays[at]) opened[at] = await encryptionKeys.reveal(record);
      for (const [{ utility, island, version }, group] of bySecret(records, stays)) {
        const secret = await secrets.version(utility, island, version);
        if (secret === undefined)
          throw new CustodyError("vault-key-unknown", `no vault secret ${version} for ${utility}/${island}`);
        const items = group.map(({ item: { place, sealed } }) => ({ data: keyPlaceData(place), sealed }));
        for (const [at, key] of (await unseal(secret, items)).entries()) opened[group[at]!.at] = key;
      }
      return opened;
    },
    // A token makes the envelope's key each time: nothing is known before.
    unsealer: (records) => ({ unseal: () => vault.unseal(records), [Symbol.dispose]: () => undefined }),
    tokenKey: async (record) => (isOfTokens(record.sealed) ? encryptionKeys.key(record) : undefined),
    checkValues: async (keys) => keys.map((key) => key.lend((bytes) => hmac(checking!, bytes))),
    authenticate: async (texts) => texts.map((text) => hmac(authenticating!, text)),
    sealNamed: async (name, key) => (await seal(whole, [{ data: namedData(name), key }]))[0]!,
    unsealNamed: async (name, sealed) => (await unseal(whole, [{ data: namedData(name), sealed }]))[0]!,
    makeAgreementKey: (name) => agreementKeys.make(name),
    agreementKey: (name, sealed) => agreementKeys.open(name, sealed),
    takeMaster: (name, master) => {
      const octets = master.lend((bytes) => Uint8Array.from(bytes));
      return secrets.take(MASTERS, name, octets).finally(() => octets.fill(0));
    },
    destroyMaster: (name) => secrets.destroy(MASTERS, name, 1),
    derive: async (name, inputs) => {
      const master = await secrets.version(MASTERS, name, 1);
      if (master === undefined) throw new CustodyError("vault-key-unknown", `the vault has no master ${name}`);
      return derivedKeys(inputs, await tokens.macs(master, inputs.flatMap(counterTexts), true));
    },
  };
  return vault;
}

/** Keys that tokens derive. */
class Derivation {
  readonly #tokens: TokenSet;

  constructor(tokens: TokenSet) {
    this.#tokens = tokens;
  }

  /** Derived once: good enough to open with, since a wrong key opens nothing. */
  async once(secret: VaultSecret, texts: readonly Uint8Array[]): Promise<KeyObject[]> {
    return (await this.#tokens.macs(secret, texts)).map(asKey);
  }

  /**
   * Derived until two answers in a row agree, each by a session that made sure of the secret: what is sealed under a key
   * that a token made by mistake would be lost.
   *
   * @throws CustodyError `vault-unavailable` when they never do
   */
  async agreed(secret: VaultSecret, texts: readonly Uint8Array[]): Promise<KeyObject[]> {
    let former = await this.#tokens.macs(secret, texts, true);
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const next = await this.#tokens.macs(secret, texts, true);
      if (next.every((mac, at) => timingSafeEqual(mac, former[at]!))) return next.map(asKey);
      former = next;
    }
    throw new CustodyError(
      "vault-unavailable",
      "the tokens do not agree on a key: one of them uses another than it was asked for",
    );
  }
}

function recordText(salt: Uint8Array, data: Uint8Array): Uint8Array {
  return boundData("meterkeep-vault-2/record", salt, data);
}

function namedData(name: string): Uint8Array {
  return boundData("meterkeep-vault-2/named", name);
}

function asKey(octets: Uint8Array): KeyObject {
  const key = createSecretKey(octets);
  octets.fill(0);
  return key;
}

function hmac(key: KeyObject, text: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(text).digest());
}

interface Numbered<T> {
  readonly item: T;
  readonly at: number;
}

function byIsland<T extends { readonly place: { readonly utility: string; readonly island: string } }>(
  items: readonly T[],
) {
  return grouped(items, ({ place: { utility, island } }) => ({ utility, island }));
}

function bySecret(records: readonly PlacedRecord[], leftOut: readonly boolean[]) {
  const groups = grouped(records, ({ place: { utility, island }, sealed }, at) => {
    if (leftOut[at]) return { utility, island, version: -1 };
    const version = envelopeKeyVersion(sealed.subarray(Math.min(SALT_BYTES, sealed.length)));
    return { utility, island, version };
  });
  return groups.filter(([{ version }]) => version >= 0);
}

function grouped<T, Key extends object>(
  items: readonly T[],
  keyOf: (item: T, at: number) => Key,
): [Key, Numbered<T>[]][] {
  const groups = new Map<string, [Key, Numbered<T>[]]>();
  for (const [at, item] of items.entries()) {
    const key = keyOf(item, at);
    const name = JSON.stringify(Object.values(key));
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [key, [{ item, at }]]);
    else group[1].push({ item, at });
  }
  return [...groups.values()];
}
