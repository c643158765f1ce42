import type { InstallationRecords } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { freshKemSecret, type Recipient, recipientOf } from "./recipient.ts";

/** The half that a vault of tokens has in its tokens. */
export const ECDH_HALF = "recipient-ecdh-1";
/** The half that is opened here: tokens do not know ML-KEM. */
export const KEM_HALF = "recipient-mlkem-1";

type Installation = Pick<InstallationRecords, "namedSecret" | "insertNamedSecret">;

/** The custodian's recipient keys: made and sealed into the vault at first use. */
export async function openRecipient(
  vault: Pick<Vault, "makeAgreementKey" | "agreementKey" | "sealNamed" | "unsealNamed">,
  installation: Installation,
): Promise<Recipient> {
  const ecdh = await storedOr(installation, ECDH_HALF, () => vault.makeAgreementKey(ECDH_HALF));
  const kem = await storedOr(installation, KEM_HALF, async () => {
    using secret = freshKemSecret();
    return await vault.sealNamed(KEM_HALF, secret);
  });
  using secret = await vault.unsealNamed(KEM_HALF, kem);
  return recipientOf(await vault.agreementKey(ECDH_HALF, ecdh), secret);
}

async function storedOr(
  installation: Installation,
  name: string,
  make: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  return (await installation.namedSecret(name)) ?? installation.insertNamedSecret(name, await make());
}
