import { Token, type TokenOptions } from "@meterkeep/hsm";
import type { VaultSecretRecords } from "../../store/store.ts";
import type { Vault } from "../vault.ts";
import type { IslandOfKeys } from "./encryption-keys.ts";
import { TokenSet } from "./token-set.ts";
import { tokenVault } from "./token-vault.ts";
import { VaultSecrets } from "./vault-secrets.ts";

/** The tokens a vault is in: any one of them opens it. */
export interface TokensSource {
  readonly kind: "tokens";
  readonly tokens: readonly TokenOptions[];
  /** Islands whose unicast encryption keys stay in the tokens; none unless given. */
  readonly encryptionKeysOf?: readonly IslandOfKeys[];
}

/** Hears what happens to the vault's tokens: a kind of ledger entry and its body. */
export type VaultEvent = (kind: "token-failed" | "token-caught-up", body: Readonly<Record<string, unknown>>) => void;

/**
 * Opens the vault of tokens. A token that does not answer is passed over as long as another does, and caught up by `tend`.
 *
 * @throws CustodyError `vault-unavailable` when none answers
 */
export async function openTokenVault(records: VaultSecretRecords, source: TokensSource, onEvent: VaultEvent) {
  const tokens = source.tokens.map((options) => new Token(options));
  /** Whether a token may lack something: at the start, and whenever one failed. */
  let isBehind = true;
  const set = new TokenSet(tokens, ({ token, error }) => {
    isBehind = true;
    onEvent("token-failed", { token, code: error.code, message: error.message });
  });
  const secrets = new VaultSecrets(set, records);
  const close = async (): Promise<void> => {
    await Promise.all(tokens.map((token) => token[Symbol.asyncDispose]()));
  };
  let vault: Vault;
  const before = await records.find("*", "*");
  try {
    if ((source.encryptionKeysOf ?? []).length > 0) await set.requireEncryptionKeys();
    vault = await tokenVault(set, secrets, source.encryptionKeysOf);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    vault,
    parameters: JSON.stringify({ tokens: set.labels }),
    created: before.length === 0,
    signing: set,
    retryPin: (label: string, allowsLastTry: boolean) => set.retryPin(label, allowsLastTry),
    tend: async (): Promise<void> => {
      if (!isBehind) return;
      // Set again by a token that fails meanwhile, and where this comes to an end before its end.
      isBehind = false;
      try {
        const { made, missing } = await secrets.catchUp();
        if (made > 0) onEvent("token-caught-up", { copies: made, missing });
        isBehind ||= missing > 0;
      } catch (error) {
        isBehind = true;
        throw error;
      }
    },
    close,
  };
}
