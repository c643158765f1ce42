import { conflict } from "./memory-names.ts";
import type { RootRecord, VaultKeyRecord, Write } from "./store.ts";

/** What a vault is sealed by, in memory. */
export interface HeldVault {
  readonly root: RootRecord | undefined;
  /** By utility and island as JSON. */
  readonly vaultKeys: Map<string, VaultKeyRecord[]>;
  readonly named: Map<string, Uint8Array>;
}

type Rewrap = Extract<Write, { kind: "rewrap-vault" }>;

/** The change of the root key among writes, which leaves nothing behind. */
export function rewrapOf(writes: readonly Write[], { root, vaultKeys, named }: HeldVault): Rewrap | undefined {
  const write = writes.find((one) => one.kind === "rewrap-vault");
  if (write === undefined) return undefined;
  const kept = [...vaultKeys.values()].flat().filter(({ sealed }) => sealed.length > 0);
  const isPresent = root !== undefined && Buffer.from(root.proof).equals(write.formerProof);
  if (!isPresent || kept.length !== write.vaultKeys.length || named.size !== write.secrets.length)
    throw conflict("the vault is not what it was when its root key was to be changed");
  return write;
}

/** Puts what was sealed anew in the place of what was; gives the root record. */
export function rewrapped(rewrap: Rewrap, { vaultKeys, named }: HeldVault): RootRecord {
  for (const { name, sealed } of rewrap.secrets) named.set(name, sealed);
  for (const record of [...rewrap.vaultKeys, ...rewrap.newVaultKeys]) {
    const name = JSON.stringify([record.utility, record.island]);
    const others = (vaultKeys.get(name) ?? []).filter(({ version }) => version !== record.version);
    vaultKeys.set(name, [...others, record]);
  }
  return rewrap.root;
}
