import { rewrapOf, rewrapped } from "./memory-rewrap.ts";
import type { CustodyStore, RootRecord, VaultKeyRecord, VaultSecret, Write } from "./store.ts";

/** What a vault is opened by, as long as the process lasts. */
export interface MemoryVault extends Pick<CustodyStore, "vaultKeys" | "vaultSecrets" | "installation"> {
  /** Checks the change of the root key among writes; gives what makes it, undefined where there is none. */
  rewrap(writes: readonly Write[]): (() => void) | undefined;
}

/** `isUsed` tells whether anything else was ever written: a vault must not be founded over it. */
export function memoryVault(isUsed: () => boolean): MemoryVault {
  const vaultKeys = new Map<string, VaultKeyRecord[]>();
  let vaultSecrets: readonly VaultSecret[] = [];
  const named = new Map<string, Uint8Array>();
  let root: RootRecord | undefined;
  return {
    rewrap: (writes) => {
      const write = rewrapOf(writes, { root, vaultKeys, named });
      if (write === undefined) return undefined;
      return () => {
        root = rewrapped(write, { root, vaultKeys, named });
      };
    },
    vaultKeys: {
      all: async () => [...vaultKeys.values()].flat().filter(({ sealed }) => sealed.length > 0),
      find: async (utility, island) =>
        (vaultKeys.get(JSON.stringify([utility, island])) ?? []).filter(({ sealed }) => sealed.length > 0),
      destroy: async ({ utility, island, version }) => {
        const name = JSON.stringify([utility, island]);
        const emptied = (vaultKeys.get(name) ?? []).map((one) =>
          one.version === version ? { ...one, sealed: new Uint8Array(0) } : one,
        );
        vaultKeys.set(name, emptied);
      },
      insert: async (record) => {
        const name = JSON.stringify([record.utility, record.island]);
        const stored = vaultKeys.get(name) ?? [];
        const same = stored.find(({ version }) => version === record.version);
        if (same === undefined) vaultKeys.set(name, [...stored, record]);
        return same ?? record;
      },
    },
    vaultSecrets: {
      find: async (utility, island) =>
        vaultSecrets.filter((one) => one.utility === utility && one.island === island && one.copies.size > 0),
      all: async () => vaultSecrets.filter(({ copies }) => copies.size > 0),
      destroy: async ({ utility, island, version }) => {
        vaultSecrets = vaultSecrets.map((one) =>
          one.utility === utility && one.island === island && one.version === version
            ? { ...one, copies: new Map() }
            : one,
        );
      },
      insert: async (secret) => {
        const same = vaultSecrets.find((one) => isSameVersion(one, secret));
        if (same === undefined) vaultSecrets = [...vaultSecrets, secret];
        return same ?? secret;
      },
      replaceCopies: async (secret) => {
        vaultSecrets = vaultSecrets.map((one) =>
          isSameVersion(one, secret) && one.copies.size > 0
            ? { ...one, copies: new Map([...one.copies, ...secret.copies]) }
            : one,
        );
      },
      addCopies: async (secret) => {
        vaultSecrets = vaultSecrets.map((one) =>
          isSameVersion(one, secret) ? { ...one, copies: new Map([...secret.copies, ...one.copies]) } : one,
        );
      },
    },
    installation: {
      inUse: async () =>
        root !== undefined || vaultKeys.size > 0 || vaultSecrets.length > 0 || named.size > 0 || isUsed(),
      root: async () => root,
      insertRoot: async (record) => {
        root ??= record;
        return root;
      },
      namedSecret: async (name) => named.get(name),
      namedSecrets: async () => [...named].map(([name, sealed]) => ({ name, sealed })),
      insertNamedSecret: async (name, sealed) => {
        if (!named.has(name)) named.set(name, sealed);
        return named.get(name) as Uint8Array;
      },
    },
  };
}

function isSameVersion(one: VaultSecret, other: VaultSecret): boolean {
  return one.utility === other.utility && one.island === other.island && one.version === other.version;
}
