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
  const nonce = sealed.subarray(HEADER_BYTES, bodyAt);
  return opened(key, nonce, additional, sealed.subarray(bodyAt, tagAt), sealed.subarray(tagAt));
}

/**
 * An envelope made ready to be opened again and again: what the tag covers beside the text (header and `data`), then nonce,
 * ciphertext and tag, in one array. Nothing in it is secret.
 */
export interface PreparedEnvelope {
  readonly keyVersion: number;
  readonly octets: Uint8Array;
  readonly additionalBytes: number;
}

/** Makes an envelope ready. @throws CustodyError `vault-record-not-authentic` */
export function prepareEnvelope(data: Uint8Array, sealed: Uint8Array): PreparedEnvelope {
  const keyVersion = envelopeKeyVersion(sealed);
  const additionalBytes = HEADER_BYTES + data.length;
  const octets = new Uint8Array(sealed.length + data.length);
  octets.set(sealed.subarray(0, HEADER_BYTES));
  octets.set(data, HEADER_BYTES);
  octets.set(sealed.subarray(HEADER_BYTES), additionalBytes);
  return { keyVersion, octets, additionalBytes };
}

/**
 * Opens prepared envelopes. Each is copied to one place, whose views stay while envelopes have the same lengths: small arrays
 * live in V8's own heap, and each that is handed to OpenSSL would be moved out of it first.
 */
export class EnvelopeOpener {
  #place = new Uint8Array(0);
  #additional = this.#place;
  #nonce = this.#place;
  #text = this.#place;
  #tag = this.#place;

  /** @throws CustodyError `vault-record-not-authentic` when it was altered, moved or is another's */
  open(key: KeyObject, { octets, additionalBytes }: PreparedEnvelope): SecretKey {
    if (this.#place.length !== octets.length || this.#additional.length !== additionalBytes)
      this.#divide(octets.length, additionalBytes);
    this.#place.set(octets);
    return opened(key, this.#nonce, this.#additional, this.#text, this.#tag);
  }

  #divide(length: number, additionalBytes: number): void {
    const [textAt, tagAt] = [additionalBytes + NONCE_BYTES, length - TAG_BYTES];
    this.#place = new Uint8Array(new ArrayBuffer(length));
    this.#additional = this.#place.subarray(0, additionalBytes);
    this.#nonce = this.#place.subarray(additionalBytes, textAt);
    this.#text = this.#place.subarray(textAt, tagAt);
    this.#tag = this.#place.subarray(tagAt);
  }
}

function opened(
  key: KeyObject,
  nonce: Uint8Array,
  additional: Uint8Array,
  text: Uint8Array,
  tag: Uint8Array,
): SecretKey {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, OPTIONS);
  decipher.setAAD(additional);
  decipher.setAuthTag(tag);
  const plain = decipher.update(text);
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
