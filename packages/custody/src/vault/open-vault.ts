import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import type { InstallationRecords, RootRecord, VaultKeys, VaultSecretRecords } from "../store/store.ts";
import { openSoftwareVault } from "./open-software-vault.ts";
import type { Opening } from "./opening.ts";
import { ROOT_PROOF, ROOT_PROOF_BYTES } from "./rewrap.ts";
import { markFounded, type RootKeySource } from "./root-key.ts";
import { openTokenVault, type TokensSource, type VaultEvent } from "./tokens/open-token-vault.ts";
import type { SigningTokens } from "./tokens/token-set.ts";
import type { Vault } from "./vault.ts";

/** What a vault is opened with. */
export type VaultSource = RootKeySource | TokensSource;

/** An open vault, and what to say about what it rests on. */
export interface OpenedVault extends Pick<Opening, "rootId" | "rewrap" | "retryPin"> {
  readonly vault: Vault;
  readonly rootKey: VaultSource["kind"];
  /** Where the vault is in tokens: they sign, too. */
  readonly signing?: SigningTokens;
  /** True when this opening founded it. */
  readonly created: boolean;
  /** Brings what was away up to date; to be called every few seconds. */
  tend(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the vault, or founds it where there is none.
 *
 * @param onEvent hears what happens to the vault's tokens, for the ledger
 * @throws CustodyError `root-key-wrong` when this is not what opens the vault now, `vault-root-lost` when there is
 * an installation and no vault, and what the source's own opening throws
 */
export async function openVault(
  records: {
    readonly installation: InstallationRecords;
    readonly vaultKeys: VaultKeys;
    readonly vaultSecrets: VaultSecretRecords;
  },
  source: VaultSource,
  now: number,
  onEvent: VaultEvent = () => undefined,
): Promise<OpenedVault> {
  const { installation, vaultKeys, vaultSecrets } = records;
  const stored = await installation.root();
  if (stored !== undefined && stored.kind !== source.kind)
    throw new CustodyError(
      "root-key-wrong",
      `the vault is opened by ${OPENED_BY[stored.kind].words} now, not by ${OPENED_BY[source.kind].words}: start ${OPENED_BY[stored.kind].how}`,
    );
  if (stored === undefined && (await installation.inUse()))
    throw new CustodyError(
      "vault-root-lost",
      "the database holds a custodian's rows but not the root record of its vault: restore the whole database from one backup, a new vault would open nothing in it",
    );
  const opening: Opening =
    source.kind === "tokens"
      ? await openTokenVault(vaultSecrets, source, onEvent)
      : await openSoftwareVault({ installation, vaultKeys }, source, stored);
  const { vault, parameters, created, signing, rootId, rewrap, retryPin, tend, close } = opening;
  try {
    if (stored === undefined) await found(vault, installation, { kind: source.kind, parameters, createdAt: now });
    else await prove(vault, stored, source);
    if (source.kind === "file") await markFounded(source.path);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    vault,
    rootKey: source.kind,
    created,
    ...(signing && { signing }),
    ...(rootId !== undefined && { rootId }),
    ...(rewrap && { rewrap }),
    ...(retryPin && { retryPin }),
    tend,
    close,
  };
}

/** What opens a vault, and how to start with it. */
const OPENED_BY: Readonly<Record<VaultSource["kind"], { readonly words: string; readonly how: string }>> = {
  file: { words: "a root key in a file", how: "without `--passphrase-file` and `--tokens-file`" },
  passphrase: { words: "a passphrase", how: "with `--passphrase-file`" },
  tokens: { words: "tokens", how: "with `--tokens-file`" },
};

async function found(vault: Vault, installation: InstallationRecords, root: Omit<RootRecord, "proof">): Promise<void> {
  using secret = SecretKey.random(ROOT_PROOF_BYTES);
  await installation.insertRoot({ ...root, proof: await vault.sealNamed(ROOT_PROOF, secret) });
}

async function prove(vault: Vault, stored: RootRecord, source: VaultSource): Promise<void> {
  try {
    (await vault.unsealNamed(ROOT_PROOF, stored.proof))[Symbol.dispose]();
  } catch (cause) {
    if (cause instanceof CustodyError && cause.code === "vault-unavailable") throw cause;
    throw new CustodyError("root-key-wrong", `${described(source)} does not open this vault`, { cause });
  }
}

function described(source: VaultSource): string {
  if (source.kind === "file") return `the root key ${source.path}`;
  if (source.kind === "passphrase") return "the passphrase";
  return `none of the tokens ${source.tokens.map(({ label }) => label).join(", ")}`;
}
