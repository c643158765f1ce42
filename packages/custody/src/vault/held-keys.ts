import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import { OctetPlaces } from "../memory/octet-places.ts";

// AES-256-GCM, under a key of this process that counts its nonces: nonce(12) ‖ ciphertext of all keys ‖ tag(16). It stands in
// a place after the number of keys and the length of each.
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PLACE_BYTES = 128;
const OPTIONS = { authTagLength: TAG_BYTES } as const;
const WORD = 0x1_0000_0000;

/** Keys that are held, as whoever has them held names them. */
export interface HeldEnvelope {
  /** What they are sealed under: that of all meters of a utility and island. */
  readonly key: KeyObject;
  readonly place: number;
}

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
  readonly #places = new OctetPlaces(PLACE_BYTES);
  #sealed = 0;
  // Where an envelope stands while it is opened, with views that are kept while envelopes have one length: small arrays live in
  // V8's own heap, and each that is handed to OpenSSL would be moved out of it first.
  #desk = new Uint8Array(0);
  #nonce = this.#desk;
  #text = this.#desk;
  #tag = this.#desk;

  /** How many envelopes are held. */
  get size(): number {
    return this.#places.size;
  }

  /**
   * Seals keys again, which stay the caller's, for `open` as often as it is asked and until `drop`. Undefined where there are
   * more of them than a place has room for.
   */
  hold(vaultKey: KeyObject, keys: readonly SecretKey[]): HeldEnvelope | undefined {
    const text = keys.reduce((sum, { length }) => sum + length, 0);
    if (1 + keys.length + NONCE_BYTES + text + TAG_BYTES > PLACE_BYTES) return undefined;
    const key = this.#keyFrom(vaultKey);
    const place = this.#places.take();
    const lengths = keys.map(({ length }) => length);
    this.#places.page(place).set([keys.length, ...lengths, ...this.#seal(key, keys)], this.#places.at(place));
    return { key, place };
  }

  /** Opens keys that are held, each in octets of its own; the caller disposes of them. */
  open({ key, place }: HeldEnvelope): SecretKey[] {
    const page = this.#places.page(place);
    const lengthsAt = this.#places.at(place) + 1;
    const count = page[lengthsAt - 1] as number;
    if (count === 0) throw notOpened();
    let text = 0;
    for (let at = lengthsAt; at < lengthsAt + count; at += 1) text += page[at] as number;
    const plain = this.#open(key, page, lengthsAt + count, text);
    const keys: SecretKey[] = [];
    for (let at = lengthsAt, from = 0; at < lengthsAt + count; at += 1) {
      const end = from + (page[at] as number);
      keys.push(SecretKey.take(plain.subarray(from, end)));
      from = end;
    }
    return keys;
  }

  /** Forgets keys that were held. */
  drop({ place }: HeldEnvelope): void {
    this.#places.giveBack(place);
  }

  #seal(key: KeyObject, keys: readonly SecretKey[]): Uint8Array {
    const nonce = Buffer.alloc(NONCE_BYTES);
    nonce.writeUInt32BE(Math.floor(this.#sealed / WORD), 4);
    nonce.writeUInt32BE(this.#sealed % WORD, 8);
    this.#sealed += 1;
    const cipher = createCipheriv("aes-256-gcm", key, nonce, OPTIONS);
    const text = keys.map((one) => one.lend((octets) => cipher.update(octets)));
    cipher.final();
    return Buffer.concat([nonce, ...text, cipher.getAuthTag()]);
  }

  #open(key: KeyObject, page: Uint8Array, from: number, text: number): Uint8Array {
    if (this.#text.length !== text) this.#divide(text);
    for (let at = 0; at < this.#desk.length; at += 1) this.#desk[at] = page[from + at] as number;
    const decipher = createDecipheriv("aes-256-gcm", key, this.#nonce, OPTIONS);
    decipher.setAuthTag(this.#tag);
    const plain = decipher.update(this.#text);
    try {
      decipher.final();
    } catch (cause) {
      plain.fill(0);
      throw notOpened(cause);
    }
    return plain;
  }

  #divide(text: number): void {
    const tagAt = NONCE_BYTES + text;
    this.#desk = new Uint8Array(new ArrayBuffer(tagAt + TAG_BYTES));
    this.#nonce = this.#desk.subarray(0, NONCE_BYTES);
    this.#text = this.#desk.subarray(NONCE_BYTES, tagAt);
    this.#tag = this.#desk.subarray(tagAt);
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

function notOpened(cause?: unknown): CustodyError {
  const message = "keys that this process holds sealed do not open any more";
  return new CustodyError("vault-record-not-authentic", message, { cause });
}
