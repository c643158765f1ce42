import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";

// AES-256-GCM, under a key of this process that counts its nonces: nonce(12) ‖ ciphertext of all keys ‖ tag(16).
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const OPTIONS = { authTagLength: TAG_BYTES } as const;
const WORD = 0x1_0000_0000;

/**
 * Keys of one meter that were unsealed, sealed again together for as long as this process wants to unseal them again and
 * again: a cipher object costs more than what it deciphers, and one envelope takes one of them whatever the number of keys.
 *
 * They are sealed under a key that is derived, for this process alone, from the vault key that they came from. Nothing of it is
 * written anywhere: what the database holds stays a row for each key (ADR 0053).
 */
export class HeldKeys {
  readonly #salt = randomBytes(KEY_BYTES);
  readonly #derived = new WeakMap<KeyObject, KeyObject>();
  #sealed = 0;
  // Where an envelope stands while it is opened, with views that are kept while envelopes have one length: small arrays live in
  // V8's own heap, and each that is handed to OpenSSL would be moved out of it first.
  #place = new Uint8Array(0);
  #nonce = this.#place;
  #text = this.#place;
  #tag = this.#place;

  /** Seals keys again, which stay the caller's. What it gives opens them as often as it is called. */
  hold(vaultKey: KeyObject, keys: readonly SecretKey[]): () => SecretKey[] {
    const key = this.#keyFrom(vaultKey);
    const ends = endsOf(keys);
    const envelope = this.#seal(key, keys);
    return () => {
      const plain = this.#open(key, envelope);
      return ends.map((end, at) => SecretKey.take(plain.subarray(ends[at - 1] ?? 0, end)));
    };
  }

  #seal(key: KeyObject, keys: readonly SecretKey[]): Uint8Array {
    const nonce = Buffer.alloc(NONCE_BYTES);
    nonce.writeUInt32BE(Math.floor(this.#sealed / WORD), 4);
    nonce.writeUInt32BE(this.#sealed % WORD, 8);
    this.#sealed += 1;
    const cipher = createCipheriv("aes-256-gcm", key, nonce, OPTIONS);
    const text = keys.map((one) => one.lend((octets) => cipher.update(octets)));
    cipher.final();
    // A copy of the exact length, in V8's own heap: hundreds of thousands are held.
    return Uint8Array.from(Buffer.concat([nonce, ...text, cipher.getAuthTag()]));
  }

  #open(key: KeyObject, envelope: Uint8Array): Uint8Array {
    if (this.#place.length !== envelope.length) this.#divide(envelope.length);
    this.#place.set(envelope);
    const decipher = createDecipheriv("aes-256-gcm", key, this.#nonce, OPTIONS);
    decipher.setAuthTag(this.#tag);
    const plain = decipher.update(this.#text);
    try {
      decipher.final();
    } catch (cause) {
      plain.fill(0);
      throw new CustodyError("vault-record-not-authentic", "keys that this process holds sealed do not open any more", {
        cause,
      });
    }
    return plain;
  }

  #divide(length: number): void {
    const tagAt = length - TAG_BYTES;
    this.#place = new Uint8Array(new ArrayBuffer(length));
    this.#nonce = this.#place.subarray(0, NONCE_BYTES);
    this.#text = this.#place.subarray(NONCE_BYTES, tagAt);
    this.#tag = this.#place.subarray(tagAt);
  }

  #keyFrom(vaultKey: KeyObject): KeyObject {
    const known = this.#derived.get(vaultKey);
    if (known !== undefined) return known;
    const octets = new Uint8Array(hkdfSync("sha256", vaultKey, this.#salt, "meterkeep-vault-1/held", KEY_BYTES));
    const key = createSecretKey(octets);
    octets.fill(0);
    this.#derived.set(vaultKey, key);
    return key;
  }
}

/** Where each key ends in the text of them all. */
function endsOf(keys: readonly SecretKey[]): readonly number[] {
  let end = 0;
  return keys.map(({ length }) => {
    end += length;
    return end;
  });
}
