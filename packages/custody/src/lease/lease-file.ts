import { createCipheriv, createHash } from "node:crypto";
import type { LeaseOperation } from "@meterkeep/api/custodian";
import { newContentKey, type RecoveryRecipient, wrapContentKey } from "../backup/recovery-key.ts";
import type { Sender } from "../departure/sender.ts";

/** A meter of a lease: how it is reached as a client, and the counters that are the handheld's alone. */
export interface LeasedMeter {
  /** 16 upper-case hex digits. */
  readonly meter: string;
  readonly label: string;
  readonly profile: string;
  readonly securitySuite: number;
  /** The client (SAP) that each operation is done as: the one with the least rights that can. */
  readonly clients: Readonly<Partial<Record<LeaseOperation, number>>>;
  readonly GUEK: number;
  readonly GAK: number;
  readonly first: number;
  readonly count: number;
}

/** What a lease allows, in clear: bound to the keys in it. */
export interface LeaseTerms {
  readonly format: "meterkeep-lease-1";
  readonly lease: string;
  readonly handheld: string;
  readonly technician: string;
  /** Milliseconds since 1970 UTC. */
  readonly from: number;
  readonly until: number;
  readonly operations: readonly LeaseOperation[];
  /** The custodian's own system title towards these meters, 16 hex digits. */
  readonly client: string;
  readonly meters: readonly LeasedMeter[];
}

/** The keys of one leased meter, hex. */
export interface LentKeys {
  readonly meter: string;
  readonly encryptionKey: string;
  readonly authenticationKey: string;
}

/**
 * The text of a lease file: its terms, the keys sealed to the handheld with the terms as additional data, and over all of it
 * the custodian's signatures, since whoever knows a handheld's public keys can seal to it.
 */
export function leaseFile(
  terms: LeaseTerms,
  keys: readonly LentKeys[],
  recipient: RecoveryRecipient,
  sender: Sender,
): string {
  const text = JSON.stringify(terms);
  using contentKey = newContentKey();
  const plain = Buffer.from(JSON.stringify(keys), "utf8");
  const sealed = contentKey.lend((key) => {
    // The key is of this lease alone: the nonce has nothing to vary with.
    const cipher = createCipheriv("aes-256-gcm", key, new Uint8Array(12));
    cipher.setAAD(Buffer.from(text, "utf8"));
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  });
  plain.fill(0);
  const lease = { terms: text, key: wrapContentKey(contentKey, recipient), sealed: sealed.toString("base64") };
  const { ecdsa, mldsa } = sender.sign(signedText(lease));
  const by = { ecdsa: base64(sender.ecdsaPublicKey), mldsa: base64(sender.mldsaPublicKey) };
  return JSON.stringify({ ...lease, signed: { ecdsa: base64(ecdsa), mldsa: base64(mldsa), by } });
}

/** What is signed of a lease: its octets as they stand in the file, by their hash. */
export function signedText(lease: { readonly terms: string; readonly key: object; readonly sealed: string }): string {
  const { terms, key, sealed } = lease;
  const hash = createHash("sha384").update(JSON.stringify({ terms, key, sealed })).digest("hex");
  return `meterkeep-lease-signature-1:${hash}`;
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

/** SHA-256 of a text, hex. */
export function textHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
