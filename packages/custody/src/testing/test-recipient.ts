import { freshKemSecret, type Recipient, recipientOf } from "../shipment/recipient.ts";
import { freshAgreementSecret, softwareAgreementKey } from "../vault/agreement.ts";

/** Somebody to seal to, with private keys in this process. */
export function testRecipient(): Recipient {
  using ecdh = freshAgreementSecret();
  using kem = freshKemSecret();
  return recipientOf(softwareAgreementKey(ecdh), kem);
}
