import { createCipheriv, createHash } from "node:crypto";
import type { LeaseOperation } from "@meterkeep/api/custodian";
import { newContentKey, type RecoveryRecipient, wrapContentKey } from "../backup/recovery-key.ts";

/** A meter of a lease: how it is reached as a client, and the counters that are the handheld's alone. */
export interface LeasedMeter {
  /** 16 upper-case hex digits. */
  readonly meter: string;
  readonly label: string;
  readonly profile: string;
  readonly securitySuite: number;
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

/** The text of a lease file: its terms, and the keys sealed to the handheld with the terms as additional data. */
export function leaseFile(terms: LeaseTerms, keys: readonly LentKeys[], recipient: RecoveryRecipient): string {
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
  return JSON.stringify({ terms: text, key: wrapContentKey(contentKey, recipient), sealed: sealed.toString("base64") });
}

/** SHA-256 of a text, hex. */
export function textHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
