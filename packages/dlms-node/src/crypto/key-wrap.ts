import { createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";
import { DlmsError, type KeyWrap } from "@meterkeep/dlms";

const INITIAL_VALUE = new Uint8Array(8).fill(0xa6);

/** AES key wrap (RFC 3394) by node:crypto. The key-encryption key is a `KeyObject` of 16 or 32 octets. */
export const nodeKeyWrap: KeyWrap<KeyObject> = {
  wrap(kek, keyOctets) {
    if (keyOctets.length < 16 || keyOctets.length % 8 !== 0)
      throw new DlmsError("wrong-length", `a key of ${keyOctets.length} octets cannot be wrapped`);
    const cipher = createCipheriv(algorithm(kek), kek, INITIAL_VALUE);
    return new Uint8Array(Buffer.concat([cipher.update(keyOctets), cipher.final()]));
  },
  unwrap(kek, wrapped) {
    if (wrapped.length < 24 || wrapped.length % 8 !== 0) return undefined;
    const decipher = createDecipheriv(algorithm(kek), kek, INITIAL_VALUE);
    let octets: Buffer | undefined;
    try {
      // All octets come with update; final checks the integrity value, so nothing leaves before it.
      octets = decipher.update(wrapped);
      decipher.final();
      return new Uint8Array(octets);
    } catch {
      return undefined;
    } finally {
      octets?.fill(0);
    }
  },
};

function algorithm(kek: KeyObject): string {
  return kek.symmetricKeySize === 32 ? "id-aes256-wrap" : "id-aes128-wrap";
}
