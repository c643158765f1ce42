import { join } from "node:path";
import type { CustodianConfig } from "@meterkeep/api/supervisor";
import { CustodyError, readPassphrase, readTokensFile, type VaultSource } from "@meterkeep/custody";

/** What the configuration says the vault is opened with. @throws CustodyError `custodian-config-invalid` */
export async function vaultSource(
  config: Pick<CustodianConfig, "tokensFile" | "passphraseFile" | "rootKeyFile" | "meterKeys" | "stateDirectory">,
): Promise<VaultSource> {
  const { tokensFile, passphraseFile, rootKeyFile, stateDirectory, meterKeys = [] } = config;
  const encryptionKeysOf = meterKeys.filter(({ keep }) => keep === "token");
  if (tokensFile !== undefined) {
    const tokens = await readTokensFile(tokensFile, join(stateDirectory, "pins-refused.json"));
    return { kind: "tokens", tokens, encryptionKeysOf };
  }
  if (encryptionKeysOf.length > 0)
    throw new CustodyError("custodian-config-invalid", "meterKeys keeps keys in tokens, and the vault is in none");
  if (passphraseFile !== undefined) return { kind: "passphrase", passphrase: await readPassphrase(passphraseFile) };
  return { kind: "file", path: rootKeyFile };
}
