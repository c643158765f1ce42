/**
 * What ciphering needs of a platform. `Key` is whatever the platform holds AES keys in (a `KeyObject` in Node, a handle
 * of a token): the library passes it through and never looks inside.
 */
export interface Ciphers<Key> {
  /** AES-GCM with a 12-octet tag: ciphertext followed by the tag. An empty `plain` gives a GMAC over `aad`. */
  seal(key: Key, iv: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array;
  /** The plain text, or undefined when the tag does not fit; compares in constant time. */
  open(key: Key, iv: Uint8Array, aad: Uint8Array, cipher: Uint8Array, tag: Uint8Array): Uint8Array | undefined;
  /** Encryption without a tag, which is also its own inverse: the counter mode inside GCM, starting at block 2. */
  crypt(key: Key, iv: Uint8Array, octets: Uint8Array): Uint8Array;
}

/** Wrapping of keys under a key-encryption key (RFC 3394, initial value A6 eight times). */
export interface KeyWrap<Key> {
  wrap(kek: Key, keyOctets: Uint8Array): Uint8Array;
  /** The key octets, or undefined when the integrity check fails. */
  unwrap(kek: Key, wrapped: Uint8Array): Uint8Array | undefined;
}

/** Hashes of the authentication mechanisms. */
export interface Hashes {
  digest(algorithm: "md5" | "sha-1" | "sha-256" | "sha-384", octets: Uint8Array): Uint8Array;
}

/** Random octets from a cryptographic source. */
export type RandomOctets = (count: number) => Uint8Array;
