import type { InstallationRecords } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { generateRecipientSecret, type Recipient, recipientOf } from "./recipient.ts";

/** The custodian's recipient keys: made and sealed into the vault at first use. */
export async function openRecipient(vault: Vault, installation: InstallationRecords): Promise<Recipient> {
  const name = "recipient-1";
  const stored = await installation.namedSecret(name);
  const sealed = stored ?? (await installation.insertNamedSecret(name, await sealFresh(vault, name)));
  using secret = await vault.unsealNamed(name, sealed);
  return recipientOf(secret);
}

async function sealFresh(vault: Vault, name: string): Promise<Uint8Array> {
  using secret = generateRecipientSecret();
  return await vault.sealNamed(name, secret);
}
