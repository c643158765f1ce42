import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { type Curve, encode } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import { type PublicKey, publicKey, SIGNATURE_ALGORITHM_OF, type SignatureAlgorithm } from "./public-key.ts";

const HASHES: Readonly<Record<SignatureAlgorithm, string>> = {
  "ecdsa-with-SHA256": "sha256",
  "ecdsa-with-SHA384": "sha384",
};

/** Who signs certificates, requests and lists: a key in this process, in the vault, or on a token. */
export interface Signer {
  readonly publicKey: PublicKey;
  /** Ecdsa-Sig-Value in DER over the hash of the curve (SHA-256, SHA-384). */
  sign(octets: Uint8Array): Uint8Array;
}

/** Who signs for an authority: at once, or later where the key is in a token behind a process of its own. */
export interface AuthorityKey {
  readonly publicKey: PublicKey;
  /** As `Signer.sign`. */
  sign(octets: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

const coordinate = asn1.positiveInteger(48);
const signatureValue = asn1.sequence("signature", { r: coordinate, s: coordinate });

/** Ecdsa-Sig-Value in DER of the r and s that a token gives, one after the other. */
export function signatureOf(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  return encode(signatureValue, { r: raw.subarray(0, half), s: raw.subarray(half) });
}

/** A signer with a private key in this process. */
export function localSigner(privateKey: KeyObject, key: PublicKey): Signer {
  const hash = hashOf(key.curve);
  return { publicKey: key, sign: (octets) => sign(hash, octets, privateKey) };
}

/** Whether `signature` over `octets` was made with the private half of `signer`. False as well for a point off the curve. */
export function isSignedBy(
  signer: PublicKey,
  algorithm: SignatureAlgorithm,
  octets: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = importPublicKey(signer);
  return key !== undefined && verify(HASHES[algorithm], octets, key, signature);
}

/** node:crypto's form of the key; undefined where the point is not on its curve. */
export function importPublicKey(key: PublicKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(encode(publicKey, key)), format: "der", type: "spki" });
  } catch {
    // Whoever sends such a point hopes that somebody computes with it.
    return undefined;
  }
}

export function hashOf(curve: Curve): string {
  return HASHES[SIGNATURE_ALGORITHM_OF[curve]];
}
