import { type CipherGCMTypes, createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";
import { type Ciphers, TAG_BYTES } from "@meterkeep/dlms";

const OPTIONS = { authTagLength: TAG_BYTES } as const;

/** AES-GCM by node:crypto. Keys are `KeyObject`s of 16 or 32 octets; their length chooses the cipher. */
export const nodeCiphers: Ciphers<KeyObject> = {
  seal(key, iv, aad, plain) {
    const cipher = createCipheriv(algorithm(key), key, iv, OPTIONS);
    cipher.setAAD(aad);
    const sealed = new Uint8Array(plain.length + TAG_BYTES);
    if (plain.length > 0) sealed.set(cipher.update(plain));
    cipher.final();
    sealed.set(cipher.getAuthTag(), plain.length);
    return sealed;
  },
  open(key, iv, aad, cipher, tag) {
    if (tag.length !== TAG_BYTES) return undefined;
    const decipher = createDecipheriv(algorithm(key), key, iv, OPTIONS);
    decipher.setAAD(aad);
    decipher.setAuthTag(tag);
    const plain = cipher.length > 0 ? decipher.update(cipher) : new Uint8Array(0);
    try {
      decipher.final();
    } catch {
      // node:crypto says no more than that the tag does not fit, and neither do we.
      return undefined;
    }
    return plain;
  },
  crypt(key, iv, octets) {
    // Counter mode is its own inverse, so the encrypting direction serves both; the tag is not asked for.
    return createCipheriv(algorithm(key), key, iv, OPTIONS).update(octets);
  },
};

function algorithm(key: KeyObject): CipherGCMTypes {
  return key.symmetricKeySize === 32 ? "aes-256-gcm" : "aes-128-gcm";
}
