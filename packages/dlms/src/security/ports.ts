/** The initialisation vector: the originator's system title and the counter, 12 octets (Green Book 9.2.3.3.7.3). */
export interface Vector {
  readonly originator: Uint8Array;
  readonly counter: number;
}

/**
 * What a tag covers beside the text that is ciphered: these, one after the other. It stays in its parts up to the platform,
 * so that no copy of the authentication key is left behind with every APDU.
 */
export interface AdditionalData {
  /** The octet of security control. */
  readonly control: number;
  readonly authentication: Uint8Array;
  /** The header of general-ciphering. */
  readonly associated?: Uint8Array | undefined;
  /** Text that is authenticated and not ciphered. */
  readonly text?: Uint8Array | undefined;
}

/**
 * What ciphering needs of a platform. `Key` is whatever the platform holds AES keys in (a `KeyObject` in Node, a handle
 * of a token): the library passes it through and never looks inside.
 */
export interface Ciphers<Key> {
  /** AES-GCM with a 12-octet tag: ciphertext followed by the tag. An empty `plain` gives a GMAC over `data`. */
  seal(key: Key, vector: Vector, data: AdditionalData, plain: Uint8Array): Uint8Array;
  /** The plain text, or undefined when the tag does not fit; compares in constant time. */
  open(key: Key, vector: Vector, data: AdditionalData, cipher: Uint8Array, tag: Uint8Array): Uint8Array | undefined;
  /** Encryption without a tag, which is also its own inverse: the counter mode inside GCM, starting at block 2. */
  crypt(key: Key, vector: Vector, octets: Uint8Array): Uint8Array;
}

/** Wrapping of keys under a key-encryption key (RFC 3394, initial value A6 eight times). */
export interface KeyWrap<Key> {
  wrap(kek: Key, keyOctets: Uint8Array): Uint8Array;
  /** The key octets, or undefined when the integrity check fails. */
  unwrap(kek: Key, wrapped: Uint8Array): Uint8Array | undefined;
}

/** Hashes of the authentication mechanisms and of key derivation. */
export interface Hashes {
  digest(algorithm: HashName, octets: Uint8Array): Uint8Array;
}
export type HashName = "md5" | "sha-1" | "sha-256" | "sha-384";

/** The curves of suites 1 and 2. */
export type Curve = "P-256" | "P-384";

/** A key pair: the private key as the platform holds it, the public one as octets x and y (64 or 96). */
export interface KeyPair<Key> {
  readonly privateKey: Key;
  readonly publicKey: Uint8Array;
}

/**
 * ECDSA and ECDH (Green Book 9.2.3.4). Public keys are x and y without a leading 04, signatures r and s, each
 * of the curve's length; the hash of a signature is the curve's (SHA-256, SHA-384).
 */
export interface Curves<Key> {
  /** A fresh pair from a cryptographic source. */
  generate(curve: Curve): KeyPair<Key>;
  sign(curve: Curve, privateKey: Key, message: Uint8Array): Uint8Array;
  /** False as well for a signature of the wrong length and for a public key that is no point of the curve. */
  verify(curve: Curve, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** The shared secret Z, which the caller destroys; undefined for a public key that is no point of the curve. */
  agree(curve: Curve, privateKey: Key, publicKey: Uint8Array): Uint8Array | undefined;
}

/** Everything that the security of suites 0 to 2 needs of a platform. */
export interface SecurityPlatform<Key> {
  readonly ciphers: Ciphers<Key>;
  readonly keyWrap: KeyWrap<Key>;
  readonly hashes: Hashes;
  readonly curves: Curves<Key>;
  /** For challenges and fresh keys. */
  readonly random: RandomOctets;
  /** Turns the octets of an AES key into a key of the platform; the octets stay the caller's to destroy. */
  readonly importKey: (octets: Uint8Array) => Key;
}

/** Random octets from a cryptographic source. */
export type RandomOctets = (count: number) => Uint8Array;
