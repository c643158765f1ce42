import { createHmac, type KeyObject } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import type { VaultKeyRecord, VaultKeys } from "../store/store.ts";
import { freshAgreementSecret, softwareAgreementKey } from "./agreement.ts";
import { counterTexts, derivedKeys } from "./derivation.ts";
import { envelopeKeyVersion, openEnvelope, sealEnvelope } from "./envelope.ts";
import { type HeldEnvelope, HeldKeys } from "./held-keys.ts";
import { keyPlaceData } from "./key-place.ts";
import {
  MASTERS,
  openNamedSecret,
  openVaultKey,
  type RootKeyRing,
  sealNamedSecret,
  sealVaultKey,
  VAULT_KEY_BYTES,
} from "./root-keys.ts";
import type { PlacedKey, PlacedRecord, Unsealer, Vault } from "./vault.ts";

/**
 * The vault in software: root key, then the keys that it opens, then a vault key for each utility and island, then the meter
 * keys. When the ring's keys are replaced it goes on under the new ones.
 */
export function softwareVault(ring: RootKeyRing, vaultKeys: VaultKeys): Vault {
  const opened = new OpenedVaultKeys(ring, vaultKeys);
  const held = new HeldKeys();
  return {
    kind: "software",
    seal: async (keys: readonly PlacedKey[]) => {
      const sealed: Uint8Array[] = [];
      for (const { place, key } of keys) {
        const { version, object } = await opened.current(place.utility, place.island);
        sealed.push(key.lend((bytes) => sealEnvelope(object, version, keyPlaceData(place), bytes)));
      }
      return sealed;
    },
    unseal: (records: readonly PlacedRecord[]) => {
      const wanted = records.map(({ place, sealed }) => opened.atHand(place, envelopeKeyVersion(sealed)));
      return wanted.includes(undefined) ? unsealAll(records, opened) : openAll(records, wanted as KeyObject[]);
    },
    unsealer: (records) => new RowsUnsealer(records, opened, held),
    tokenKey: async () => undefined,
    checkValues: async (keys) =>
      keys.map((key) =>
        key.lend((bytes) => new Uint8Array(createHmac("sha256", ring.current.checking).update(bytes).digest())),
      ),
    authenticate: async (texts) =>
      texts.map((text) => new Uint8Array(createHmac("sha256", ring.current.authenticating).update(text).digest())),
    sealNamed: async (name, secret) => sealNamedSecret(ring.current, name, secret),
    unsealNamed: async (name, sealed) => openNamedSecret(ring.current, name, sealed),
    makeAgreementKey: async (name) => {
      using secret = freshAgreementSecret();
      return sealNamedSecret(ring.current, name, secret);
    },
    agreementKey: async (name, sealed) => {
      using secret = openNamedSecret(ring.current, name, sealed);
      return softwareAgreementKey(secret);
    },
    takeMaster: async (name, master) => {
      const place = { utility: MASTERS, island: name, version: 1 };
      if ((await vaultKeys.find(place.utility, place.island)).length > 0) return;
      await vaultKeys.insert({ ...place, sealed: sealVaultKey(ring.current, place, master) });
    },
    destroyMaster: (name) => vaultKeys.destroy({ utility: MASTERS, island: name, version: 1 }),
    derive: async (name, inputs) => {
      const [record] = await vaultKeys.find(MASTERS, name);
      if (record === undefined) throw new CustodyError("vault-key-unknown", `the vault has no master ${name}`);
      using master = openVaultKey(ring.current, record);
      const key = master.keyObject();
      const macs = inputs.flatMap(counterTexts).map((text) => createHmac("sha256", key).update(text).digest());
      return derivedKeys(inputs, macs);
    },
  };
}

function openAll(records: readonly PlacedRecord[], objects: readonly KeyObject[]): SecretKey[] {
  return records.map(({ place, sealed }, at) => openEnvelope(objects[at] as KeyObject, keyPlaceData(place), sealed));
}

async function unsealAll(records: readonly PlacedRecord[], opened: OpenedVaultKeys): Promise<SecretKey[]> {
  return openAll(records, await openedFor(records, opened));
}

/** The vault key of each record. */
async function openedFor(records: readonly PlacedRecord[], opened: OpenedVaultKeys): Promise<KeyObject[]> {
  const objects: KeyObject[] = [];
  for (const { place, sealed } of records) objects.push(await opened.version(place, envelopeKeyVersion(sealed)));
  return objects;
}

/** Opens the records the first time, and from then on what it holds of them instead, where they have one vault key. */
class RowsUnsealer implements Unsealer {
  readonly #opened: OpenedVaultKeys;
  readonly #held: HeldKeys;
  /** Let go of once their keys are held: a session may be open for long, and there are many. */
  #rows: readonly PlacedRecord[];
  #envelope: HeldEnvelope | undefined;
  #isOver = false;

  constructor(records: readonly PlacedRecord[], opened: OpenedVaultKeys, held: HeldKeys) {
    for (const { sealed } of records) envelopeKeyVersion(sealed);
    this.#rows = records;
    this.#opened = opened;
    this.#held = held;
  }

  unseal(): Promise<SecretKey[]> | SecretKey[] {
    return this.#envelope === undefined ? this.#first(this.#rows) : this.#held.open(this.#envelope);
  }

  async #first(rows: readonly PlacedRecord[]): Promise<SecretKey[]> {
    const objects = await openedFor(rows, this.#opened);
    const keys = openAll(rows, objects);
    const [object] = objects;
    const isOne = object !== undefined && objects.every((other) => other === object);
    // Several may be under way at once: the first of them that is done holds the keys.
    if (!isOne || this.#isOver || this.#envelope !== undefined) return keys;
    this.#envelope = this.#held.hold(object, keys);
    if (this.#envelope !== undefined) this.#rows = [];
    return keys;
  }

  [Symbol.dispose](): void {
    if (this.#envelope !== undefined) this.#held.drop(this.#envelope);
    this.#envelope = undefined;
    this.#rows = [];
    this.#isOver = true;
  }
}

interface OpenedVaultKey {
  readonly version: number;
  readonly object: KeyObject;
}

/** The cell that a vault key is for. */
type Cell = Pick<VaultKeyRecord, "utility" | "island">;

/** Vault keys as node:crypto holds them, by utility and island: one is read once and made at first use. */
class OpenedVaultKeys {
  readonly #ring: RootKeyRing;
  readonly #store: VaultKeys;
  /** The version of the root keys under which they were read: under others there are newer ones. */
  #root: number;
  readonly #opening = new Map<string, Promise<readonly OpenedVaultKey[]>>();
  /** Those that were opened, by utility and island. */
  readonly #opened = new Map<string, Map<string, readonly OpenedVaultKey[]>>();

  constructor(ring: RootKeyRing, store: VaultKeys) {
    this.#ring = ring;
    this.#root = ring.current.version;
    this.#store = store;
  }

  /** The newest version; made when there is none. */
  async current(utility: string, island: string): Promise<OpenedVaultKey> {
    const keys = await this.#all(utility, island, true);
    return keys.at(-1) as OpenedVaultKey;
  }

  /** A version that was opened before. */
  atHand({ utility, island }: Cell, version: number): KeyObject | undefined {
    return this.#opened
      .get(utility)
      ?.get(island)
      ?.find((key) => key.version === version)?.object;
  }

  async version({ utility, island }: Cell, version: number): Promise<KeyObject> {
    const found = (await this.#all(utility, island, false)).find((key) => key.version === version);
    if (found === undefined)
      throw new CustodyError("vault-key-unknown", `no vault key ${version} for ${utility}/${island}`);
    return found.object;
  }

  async #all(utility: string, island: string, make: boolean): Promise<readonly OpenedVaultKey[]> {
    if (this.#root !== this.#ring.current.version) {
      this.#root = this.#ring.current.version;
      this.#opening.clear();
      this.#opened.clear();
    }
    const name = JSON.stringify([utility, island]);
    let keys = this.#opening.get(name);
    if (keys === undefined) {
      keys = this.#load(utility, island, make);
      this.#opening.set(name, keys);
      // A failure, or a place that has no key yet, is not remembered.
      keys.then(
        (loaded) => (loaded.length === 0 ? this.#opening.delete(name) : this.#keep(utility, island, loaded)),
        () => this.#opening.delete(name),
      );
    }
    return keys;
  }

  #keep(utility: string, island: string, keys: readonly OpenedVaultKey[]): void {
    const islands = this.#opened.get(utility) ?? new Map<string, readonly OpenedVaultKey[]>();
    this.#opened.set(utility, islands.set(island, keys));
  }

  async #load(utility: string, island: string, make: boolean): Promise<readonly OpenedVaultKey[]> {
    const found = await this.#store.find(utility, island);
    const records = found.length > 0 || !make ? found : [await this.#make(utility, island)];
    return [...records].sort((a, b) => a.version - b.version).map((record) => this.#open(record));
  }

  async #make(utility: string, island: string): Promise<VaultKeyRecord> {
    using key = SecretKey.random(VAULT_KEY_BYTES);
    const place = { utility, island, version: 1 };
    return this.#store.insert({ ...place, sealed: sealVaultKey(this.#ring.current, place, key) });
  }

  #open(record: VaultKeyRecord): OpenedVaultKey {
    using key = openVaultKey(this.#ring.current, record);
    return { version: record.version, object: key.keyObject() };
  }
}
