import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";

// AES-256-GCM with a random nonce: form(1) ‖ key version(4) ‖ nonce(12) ‖ ciphertext ‖ tag(16).
const FORM = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 5;
const OPTIONS = { authTagLength: TAG_BYTES } as const;

/** Seals octets under `key`; `data` is what the envelope is bound to. */
export function sealEnvelope(key: KeyObject, keyVersion: number, data: Uint8Array, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, OPTIONS);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(FORM, 0);
  header.writeUInt32BE(keyVersion, 1);
  cipher.setAAD(Buffer.concat([header, data]));
  const ciphertext = cipher.update(plain);
  return Buffer.concat([header, nonce, ciphertext, cipher.final(), cipher.getAuthTag()]);
}

/** The version of the key an envelope was sealed under. @throws CustodyError `vault-record-not-authentic`. */
export function envelopeKeyVersion(sealed: Uint8Array): number {
  requireEnvelope(sealed);
  return new DataView(sealed.buffer, sealed.byteOffset, sealed.length).getUint32(1);
}

/** Opens an envelope. @throws CustodyError `vault-record-not-authentic` when it was altered, moved or is another's. */
export function openEnvelope(key: KeyObject, data: Uint8Array, sealed: Uint8Array): SecretKey {
  requireEnvelope(sealed);
  const bodyAt = HEADER_BYTES + NONCE_BYTES;
  const tagAt = sealed.length - TAG_BYTES;
  const additional = Buffer.allocUnsafe(HEADER_BYTES + data.length);
  additional.set(sealed.subarray(0, HEADER_BYTES));
  additional.set(data, HEADER_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(HEADER_BYTES, bodyAt), OPTIONS);
  decipher.setAAD(additional);
  decipher.setAuthTag(sealed.subarray(tagAt));
  const plain = decipher.update(sealed.subarray(bodyAt, tagAt));
  try {
    decipher.final();
  } catch (cause) {
    plain.fill(0);
    throw new CustodyError("vault-record-not-authentic", "a sealed record does not open in the place where it stands", {
      cause,
    });
  }
  return SecretKey.take(plain);
}

function requireEnvelope(sealed: Uint8Array): void {
  if (sealed.length < HEADER_BYTES + NONCE_BYTES + TAG_BYTES || sealed[0] !== FORM)
    throw new CustodyError("vault-record-not-authentic", "a sealed record is not an envelope of this vault");
}
