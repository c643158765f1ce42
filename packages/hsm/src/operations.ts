/** A secret of the vault that lies outside the token, wrapped under the token's own key. Opens in this token only. */
export interface WrappedSecret {
  /** AES key wrap (RFC 3394) under the key named `wrappedUnder`. */
  readonly octets: Uint8Array;
  /** The label of the token's wrapping key. */
  readonly wrappedUnder: string;
  /** HMAC-SHA-256 of a fixed text under the secret, first 8 octets: tells a wrong key from a right one before it is used. */
  readonly checkValue: Uint8Array;
}

/** An RSA public key as PKCS#11 has it: big-endian numbers. */
export interface TransportKey {
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
}

/** A meter's encryption key that only tokens open: wrapped for the place it belongs to. */
export interface WrappedEncryptionKey {
  /** What the wrapping is bound to. */
  readonly place: Uint8Array;
  /** AES key wrap (RFC 3394) under a key that the token derives of its secret and the place. */
  readonly octets: Uint8Array;
  /** Tells a wrong key from a right one before it is used: the first 8 octets of a GMAC. */
  readonly checkValue: Uint8Array;
}

/** AES-GCM with a tag of 12 octets, done by the token. */
export interface GcmRequest {
  readonly key: WrappedEncryptionKey;
  /** Verify and decipher `text`, which ends with its tag; else encipher it. */
  readonly open: boolean;
  readonly iv: Uint8Array;
  /** Additional data. Whoever asks has it in clear, and with it the authentication key that is part of it. */
  readonly data: Uint8Array;
  readonly text: Uint8Array;
}

/** What a token does with encryption keys that stay inside it. */
export interface EncryptionKeyOperations {
  /** Wraps keys for their places. */
  wrapEncryptionKeys(
    secret: WrappedSecret,
    keys: readonly { readonly place: Uint8Array; readonly octets: Uint8Array }[],
  ): WrappedEncryptionKey[];
  /** The keys in clear: for what changes them. */
  revealEncryptionKeys(secret: WrappedSecret, keys: readonly WrappedEncryptionKey[]): Uint8Array[];
  /** What each request comes to: text and tag, or the plain text, or undefined where a tag does not fit. */
  gcm(secret: WrappedSecret, requests: readonly GcmRequest[]): (Uint8Array | undefined)[];
}

/** A key pair for ECDH on P-384 whose private half only tokens open. */
export interface AgreementPair {
  /** The public half: x and y, 96 octets. */
  readonly point: Uint8Array;
  /** The private half: PKCS #8, wrapped (RFC 5649) under a secret. */
  readonly wrapped: Uint8Array;
}

/** What a token does with private keys for ECDH that stay inside it. */
export interface AgreementOperations {
  /** Makes a key pair and gives its private half wrapped under a secret, which is for this alone. */
  makeAgreementPair(secret: WrappedSecret): AgreementPair;
  /**
   * The x that a private key and a peer's point come to, 48 octets (CKD_NULL).
   *
   * @param peer x and y, 96 octets; whoever asks has made sure that it is a point of the curve
   * @throws HsmError `hsm-key-wrong` for a private half that does not open or is not that of the public one
   */
  agree(secret: WrappedSecret, pair: AgreementPair, peer: Uint8Array): Uint8Array;
}

export type TokenCurve = "P-256" | "P-384";

/**
 * What a token does for the platform. Operations can be repeated without harm: the process that carries them out may be
 * killed in the middle of one, which is then asked again.
 */
export interface TokenOperations extends EncryptionKeyOperations, AgreementOperations {
  /** What the token is and offers. */
  describe(): TokenDescription;
  /** Tries what the platform would ask of it, or asks for one purpose alone, and leaves nothing behind. */
  probe(purpose?: string): Trial[];
  /** Makes the AES-256 key that wraps secrets unless there is one of that label; it never leaves the token. */
  ensureWrappingKey(label: string): void;
  /** Makes a secret of 32 octets inside the token, and gives it wrapped. */
  makeSecret(wrappedUnder: string, octets?: Uint8Array): WrappedSecret;
  /** Makes sure that a wrapped secret opens here and is what it should be, in a fresh session. @throws HsmError `hsm-key-wrong` */
  checkSecret(secret: WrappedSecret): void;
  /**
   * HMAC-SHA-256 of each text under a secret, 32 octets each. With `isChecked` the secret behind the handle is compared
   * with its check value first, which costs one operation: for what would be lost under another one.
   */
  macs(secret: WrappedSecret, texts: readonly Uint8Array[], isChecked?: boolean): Uint8Array[];
  /** The public half of the token's transport key pair (RSA 3072); made at first use. */
  transportKey(label: string): TransportKey;
  /** Wraps a secret for another token (RSA-OAEP); it is in clear in neither host. */
  exportSecret(secret: WrappedSecret, recipient: TransportKey): Uint8Array;
  /** Takes a secret that another token wrapped for this one's transport key. */
  importSecret(transportLabel: string, octets: Uint8Array, wrappedUnder: string, checkValue: Uint8Array): WrappedSecret;
  /** The public half of an EC key pair, x and y; made at first use. The private key never leaves the token. */
  keyPair(label: string, curve: TokenCurve): Uint8Array;
  /** ECDSA over a digest, r and s. */
  sign(label: string, curve: TokenCurve, digest: Uint8Array): Uint8Array;
}
export type OperationName = keyof TokenOperations;

/** What one thing that was tried came to. */
export interface Trial {
  readonly name: string;
  /** What the platform would use it for. */
  readonly purpose: string;
  /** How long one took. */
  readonly milliseconds?: number;
  /** How many there could be. */
  readonly count?: number;
  /** Why it does not work here: the return value of PKCS#11. */
  readonly refused?: string;
}

export interface TokenDescription {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
  /** CKM numbers with the key sizes they take. */
  readonly mechanisms: readonly {
    readonly mechanism: number;
    readonly minKey: number;
    readonly maxKey: number;
    readonly flags: number;
  }[];
}

/** To the token's process. */
export type ToToken =
  | {
      readonly kind: "begin";
      readonly library: string;
      readonly label: string;
      readonly pin: string;
      readonly sessions: number;
      /** A person has said that the PIN is to be tried though it may be the last time. */
      readonly allowsLastTry: boolean;
    }
  | { readonly kind: "do"; readonly id: number; readonly operation: OperationName; readonly args: readonly unknown[] };

/** From the token's process. */
export type FromToken =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  | { readonly kind: "done"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly code: string; readonly message: string };
