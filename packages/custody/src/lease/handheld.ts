import { createPublicKey, verify } from "node:crypto";
import { type RecoveryRecipient, recoveryRecipient } from "../backup/recovery-key.ts";
import { CallRefusal } from "../calls/call-refusal.ts";

/** A handheld: what leases are sealed to, and what its journals are signed with. */
export interface Handheld {
  readonly recipient: RecoveryRecipient;
  /** Ed25519, SPKI in base64. */
  readonly signing: string;
  readonly technician: string;
}

const JOURNAL_DOMAIN = "meterkeep-field-journal-1\n";

/** Reads a handheld's public keys. @throws CallRefusal `lease-refused` */
export function handheldOf(publicKey: string, technician: string): Handheld {
  try {
    const { signing } = JSON.parse(publicKey) as { readonly signing?: unknown };
    if (typeof signing !== "string" || keyOf(signing).asymmetricKeyType !== "ed25519")
      throw new Error("it has no signing key");
    return { recipient: recoveryRecipient(publicKey), signing, technician };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CallRefusal("lease-refused", `these are no keys of a handheld: ${why}`, { cause });
  }
}

/** Whether a handheld has signed a text. */
export function isSignedBy({ signing }: Pick<Handheld, "signing">, text: string, signature: string): boolean {
  return verify(null, Buffer.from(JOURNAL_DOMAIN + text), keyOf(signing), Buffer.from(signature, "base64"));
}

function keyOf(spki: string) {
  return createPublicKey({ key: Buffer.from(spki, "base64"), format: "der", type: "spki" });
}
