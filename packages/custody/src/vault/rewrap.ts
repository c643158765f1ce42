import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import type { InstallationRecords, RootRecord, VaultKeyRecord, VaultKeys, Write } from "../store/store.ts";
import {
  dropNextRootKey,
  nextRootKey,
  type RootKeySource,
  rootKeyFromPassphrase,
  setRootKeyAside,
  settleRootKey,
} from "./root-key.ts";
import {
  MASTERS,
  nextRootKeys,
  openNamedSecret,
  openRootKeys,
  openVaultKey,
  type RootKeyRing,
  type RootKeys,
  rootKeyId,
  sealNamedSecret,
  sealRootKeys,
  sealVaultKey,
  VAULT_KEY_BYTES,
} from "./root-keys.ts";
import { freshScrypt, type RootParameters, readParameters, writeParameters } from "./root-parameters.ts";

/** Name of the secret that tells a right root key from a wrong one. */
export const ROOT_PROOF = "root-proof";
export const ROOT_PROOF_BYTES = 16;

/** A change of the root key, worked out and not yet made. */
export interface Rewrap {
  readonly write: Extract<Write, { kind: "rewrap-vault" }>;
  /** Ids of the former root key and of the new one. */
  readonly from: string;
  readonly to: string;
  /** Goes on under the new root key: to be called when the write is durable. @returns where the former key's file is kept. */
  adopt(): Promise<string | undefined>;
  /** Removes the new root key's file: to be called when the write is known not to have happened. */
  drop(): Promise<void>;
}

interface Present {
  readonly installation: InstallationRecords;
  readonly vaultKeys: VaultKeys;
  readonly ring: RootKeyRing;
  readonly source: RootKeySource;
  readonly rootId: string;
}

/**
 * Works out what gives a vault another root key: its keys in an envelope under that, all that was sealed under the former
 * ones sealed anew, and one more vault key for each utility and island. Everything is opened again before it is given out.
 *
 * A root key in a file is new and lies beside the former one until the change is durable.
 *
 * @throws CustodyError `vault-record-not-authentic` where anything does not open now: nothing is changed then;
 * `root-key-wrong` where the root key or passphrase is the present one
 */
export async function rewrapped(present: Present, next: RootKeySource): Promise<Rewrap> {
  const { installation, rootId } = present;
  const stored = await installation.root();
  if (stored === undefined) throw new CustodyError("vault-root-lost", "the vault has no root record");
  const known = readParameters(stored.parameters);
  requireAnother(next, known, rootId);
  const scrypt = next.kind === "passphrase" ? freshScrypt() : undefined;
  using root = await rootKeyOf(next, scrypt, known.keys.root);
  try {
    return await rewrappedUnder(root, scrypt, present, stored, next);
  } catch (error) {
    if (next.kind === "file") await dropNextRootKey(next.path, rootKeyId(root));
    throw error;
  }
}

/** Under a salt of its own a passphrase gives another root key each time, and who knew it would know it still. */
function requireAnother(next: RootKeySource, { scrypt }: RootParameters, rootId: string): void {
  if (next.kind !== "passphrase" || scrypt === undefined) return;
  using same = rootKeyOfPassphrase(next.passphrase, scrypt);
  if (rootKeyId(same) === rootId) throw new CustodyError("root-key-wrong", "the new passphrase is the present one");
}

async function rewrappedUnder(
  root: SecretKey,
  scrypt: RootParameters["scrypt"],
  { installation, vaultKeys, ring, source, rootId }: Present,
  stored: RootRecord,
  next: RootKeySource,
): Promise<Rewrap> {
  const former = ring.current;
  const keys = nextRootKeys(former);
  const to = rootKeyId(root);
  if (to === rootId) throw new CustodyError("root-key-wrong", "the new root key is the present one");
  const sealed = sealRootKeys(root, keys);
  // What cannot be opened again must not be all there is.
  openRootKeys(root, keys.version, sealed);
  const parameters: RootParameters = {
    ...(scrypt && { scrypt }),
    keys: { version: keys.version, root: to, sealed },
  };
  using proof = SecretKey.random(ROOT_PROOF_BYTES);
  const record: RootRecord = {
    kind: next.kind,
    parameters: writeParameters(parameters),
    proof: sealNamedSecret(keys, ROOT_PROOF, proof),
    createdAt: stored.createdAt,
  };
  const kept = await vaultKeys.all();
  const secrets = (await installation.namedSecrets()).map(({ name, sealed: octets }) => {
    using secret = openNamedSecret(former, name, octets);
    const anew = sealNamedSecret(keys, name, secret);
    using again = openNamedSecret(keys, name, anew);
    requireSame(secret, again, name);
    return { name, sealed: anew };
  });
  const write: Rewrap["write"] = {
    kind: "rewrap-vault",
    formerProof: stored.proof,
    root: record,
    vaultKeys: kept.map((one) => sealedAnew(former, keys, one)),
    newVaultKeys: newVersions(keys, kept),
    secrets,
  };
  return {
    write,
    from: rootId,
    to,
    adopt: async () => {
      ring.replace(keys);
      if (next.kind === "file") return settleRootKey(next.path, to);
      return source.kind === "file" ? setRootKeyAside(source.path) : undefined;
    },
    drop: async () => (next.kind === "file" ? dropNextRootKey(next.path, to) : undefined),
  };
}

async function rootKeyOf(
  source: RootKeySource,
  scrypt: RootParameters["scrypt"],
  presentId: string,
): Promise<SecretKey> {
  if (source.kind === "file") return nextRootKey(source.path, presentId);
  return rootKeyOfPassphrase(source.passphrase, scrypt as NonNullable<typeof scrypt>);
}

function rootKeyOfPassphrase(passphrase: string, scrypt: NonNullable<RootParameters["scrypt"]>): SecretKey {
  const { salt, ...costs } = scrypt;
  return rootKeyFromPassphrase(passphrase, { ...costs, salt: Buffer.from(salt, "base64url") });
}

function sealedAnew(former: RootKeys, keys: RootKeys, record: VaultKeyRecord): VaultKeyRecord {
  using key = openVaultKey(former, record);
  const anew = { ...record, sealed: sealVaultKey(keys, record, key) };
  using again = openVaultKey(keys, anew);
  requireSame(key, again, `${record.utility}/${record.island}`);
  return anew;
}

/** One more version for each utility and island: what is sealed from now on, no older copy of the database opens. */
function newVersions(keys: RootKeys, kept: readonly VaultKeyRecord[]): VaultKeyRecord[] {
  const newest = new Map<string, VaultKeyRecord>();
  for (const one of kept) {
    const name = JSON.stringify([one.utility, one.island]);
    if (one.utility !== MASTERS && one.version > (newest.get(name)?.version ?? 0)) newest.set(name, one);
  }
  return [...newest.values()].map(({ utility, island, version }) => {
    using key = SecretKey.random(VAULT_KEY_BYTES);
    const place = { utility, island, version: version + 1 };
    return { ...place, sealed: sealVaultKey(keys, place, key) };
  });
}

function requireSame(one: SecretKey, other: SecretKey, what: string): void {
  if (!one.equals(other))
    throw new CustodyError("vault-record-not-authentic", `${what} is not the same when it is sealed anew`);
}
