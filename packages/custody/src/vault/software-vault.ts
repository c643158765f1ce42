import { createHmac, hkdfSync, type KeyObject } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import type { VaultKeyRecord, VaultKeys } from "../store/store.ts";
import { counterTexts, derivedKeys } from "./derivation.ts";
import { envelopeKeyVersion, openEnvelope, sealEnvelope } from "./envelope.ts";
import { HeldKeys } from "./held-keys.ts";
import { boundData, keyPlaceData } from "./key-place.ts";
import type { PlacedKey, PlacedRecord, Unsealer, Vault } from "./vault.ts";

/** Octets of the root key and of every vault key: AES-256. */
export const VAULT_KEY_BYTES = 32;

const ROOT_VERSION = 1;

/**
 * The vault in software: root key, then a vault key for each utility and island, then the meter keys.
 *
 * Nothing is sealed under the root key itself but under keys derived from it for one use each (HKDF-SHA-256).
 */
export function softwareVault(rootKey: SecretKey, vaultKeys: VaultKeys): Vault {
  const wrapping = derived(rootKey, "vault-keys").keyObject();
  const naming = derived(rootKey, "named-secrets").keyObject();
  const checking = derived(rootKey, "check-values").keyObject();
  const authenticating = derived(rootKey, "records").keyObject();
  const opened = new OpenedVaultKeys(wrapping, vaultKeys);
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
    unsealer: (records) => unsealerOf(records, opened, held),
    tokenKey: async () => undefined,
    checkValues: async (keys) =>
      keys.map((key) => key.lend((bytes) => new Uint8Array(createHmac("sha256", checking).update(bytes).digest()))),
    authenticate: async (texts) =>
      texts.map((text) => new Uint8Array(createHmac("sha256", authenticating).update(text).digest())),
    sealNamed: async (name, secret) =>
      secret.lend((bytes) => sealEnvelope(naming, ROOT_VERSION, boundData("meterkeep-vault-1/named", name), bytes)),
    unsealNamed: async (name, sealed) => openEnvelope(naming, boundData("meterkeep-vault-1/named", name), sealed),
    takeMaster: async (name, master) => {
      const place = { utility: MASTERS, island: name, version: 1 };
      if ((await vaultKeys.find(place.utility, place.island)).length > 0) return;
      const sealed = master.lend((bytes) => sealEnvelope(wrapping, ROOT_VERSION, masterData(name), bytes));
      await vaultKeys.insert({ ...place, sealed });
    },
    destroyMaster: (name) => vaultKeys.destroy({ utility: MASTERS, island: name, version: 1 }),
    derive: async (name, inputs) => {
      const [record] = await vaultKeys.find(MASTERS, name);
      if (record === undefined) throw new CustodyError("vault-key-unknown", `the vault has no master ${name}`);
      using master = openEnvelope(wrapping, masterData(name), record.sealed);
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
function unsealerOf(records: readonly PlacedRecord[], opened: OpenedVaultKeys, held: HeldKeys): Unsealer {
  for (const { sealed } of records) envelopeKeyVersion(sealed);
  /** Let go of once their keys are held: a session may be open for long, and there are many. */
  let rows = records;
  let open: Unsealer | undefined;
  const first = async (asked: readonly PlacedRecord[]): Promise<SecretKey[]> => {
    const objects = await openedFor(asked, opened);
    const keys = openAll(asked, objects);
    const [object] = objects;
    if (object !== undefined && objects.every((other) => other === object)) {
      open = held.hold(object, keys);
      rows = [];
    }
    return keys;
  };
  return () => (open === undefined ? first(rows) : open());
}

/** In the place of a utility: no utility has this name. */
const MASTERS = "*masters";

function masterData(name: string): Buffer {
  return boundData("meterkeep-vault-1/master", name);
}

function derived(rootKey: SecretKey, use: string): SecretKey {
  return rootKey.lend((bytes) =>
    SecretKey.take(
      new Uint8Array(hkdfSync("sha256", bytes, new Uint8Array(0), `meterkeep-root-1/${use}`, VAULT_KEY_BYTES)),
    ),
  );
}

interface OpenedVaultKey {
  readonly version: number;
  readonly object: KeyObject;
}

/** The cell that a vault key is for. */
type Cell = Pick<VaultKeyRecord, "utility" | "island">;

/** Vault keys as node:crypto holds them, by utility and island: one is read once and made at first use. */
class OpenedVaultKeys {
  readonly #wrapping: KeyObject;
  readonly #store: VaultKeys;
  readonly #opening = new Map<string, Promise<readonly OpenedVaultKey[]>>();
  /** Those that were opened, by utility and island. */
  readonly #opened = new Map<string, Map<string, readonly OpenedVaultKey[]>>();

  constructor(wrapping: KeyObject, store: VaultKeys) {
    this.#wrapping = wrapping;
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
    const sealed = key.lend((bytes) => sealEnvelope(this.#wrapping, ROOT_VERSION, vaultKeyData(place), bytes));
    return this.#store.insert({ ...place, sealed });
  }

  #open(record: VaultKeyRecord): OpenedVaultKey {
    using key = openEnvelope(this.#wrapping, vaultKeyData(record), record.sealed);
    return { version: record.version, object: key.keyObject() };
  }
}

function vaultKeyData(record: Omit<VaultKeyRecord, "sealed">): Buffer {
  return boundData("meterkeep-vault-1/vault-key", record.utility, record.island, String(record.version));
}
