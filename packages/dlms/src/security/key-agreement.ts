import { concatBytes } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import type { SystemTitle } from "../system-title.ts";
import { deriveKey } from "./key-derivation.ts";
import { curveOf } from "./message-key.ts";
import type { SecurityPlatform } from "./ports.ts";
import type { SecurityProfile } from "./profile.ts";
import { SECURITY_SUITES, type SecuritySuiteId } from "./suites.ts";

/** key_id of the master key: what is agreed for it wraps other keys. */
const MASTER_KEY_ID = 3;

/** One side of a key agreement by `key_agreement` of a security setup: C(2e, 0s), Green Book 9.2.3.4.6.2. */
export interface KeyAgreement<Key> {
  readonly platform: Pick<SecurityPlatform<Key>, "curves" | "hashes">;
  readonly suite: SecuritySuiteId;
  readonly profile: Pick<SecurityProfile, "algorithmIdPrefix">;
  /** This side's private signing key. */
  readonly signing: Key;
  /** The other side's public signing key, from a certificate that was checked. */
  readonly otherSigning: Uint8Array;
  /** The client is party U, the server party V. */
  readonly client: SystemTitle;
  readonly server: SystemTitle;
}

/** A key that the client has offered to agree on. */
export interface OfferedKey<Key> {
  readonly keyId: number;
  /** key_data for the server. */
  readonly keyData: Uint8Array;
  /** The ephemeral private key: used once, by `completeKeyAgreement`, then dropped. */
  readonly ephemeral: Key;
}

/** Begins an agreement: a fresh public key with a signature over key_id and it. */
export function offerKeyAgreement<Key>(agreement: KeyAgreement<Key>, keyId: number): OfferedKey<Key> {
  const { privateKey, publicKey } = agreement.platform.curves.generate(curveOf(agreement.suite));
  return { keyId, keyData: signedPublicKey(agreement, keyId, publicKey), ephemeral: privateKey };
}

/**
 * The server's part: verifies the offer, answers with a fresh key of its own, and gives the octets of the key that both
 * have now.
 *
 * @throws DlmsError `authentication-failed`, `wrong-length`
 */
export function answerKeyAgreement<Key>(
  agreement: KeyAgreement<Key>,
  keyId: number,
  offered: Uint8Array,
): { readonly keyData: Uint8Array; readonly octets: Uint8Array } {
  const theirs = verifiedPublicKey(agreement, keyId, offered);
  const { privateKey, publicKey } = agreement.platform.curves.generate(curveOf(agreement.suite));
  const octets = agreedOctets(agreement, keyId, privateKey, theirs);
  return { keyData: signedPublicKey(agreement, keyId, publicKey), octets };
}

/** The client's end: verifies the answer and gives the octets of the key. @throws DlmsError as `answerKeyAgreement` */
export function completeKeyAgreement<Key>(
  agreement: KeyAgreement<Key>,
  { keyId, ephemeral }: Pick<OfferedKey<Key>, "keyId" | "ephemeral">,
  answered: Uint8Array,
): Uint8Array {
  return agreedOctets(agreement, keyId, ephemeral, verifiedPublicKey(agreement, keyId, answered));
}

function signedPublicKey<Key>(
  { platform, suite, signing }: KeyAgreement<Key>,
  keyId: number,
  publicKey: Uint8Array,
): Uint8Array {
  const signed = concatBytes(Uint8Array.of(keyId), publicKey);
  return concatBytes(publicKey, platform.curves.sign(curveOf(suite), signing, signed));
}

function verifiedPublicKey<Key>(
  { platform, suite, otherSigning }: KeyAgreement<Key>,
  keyId: number,
  keyData: Uint8Array,
): Uint8Array {
  const { signatureBytes } = SECURITY_SUITES[suite];
  if (keyData.length !== 2 * signatureBytes)
    throw new DlmsError("wrong-length", `key_data has ${keyData.length} octets where ${2 * signatureBytes} belong`);
  const publicKey = keyData.subarray(0, signatureBytes);
  const signed = concatBytes(Uint8Array.of(keyId), publicKey);
  if (!platform.curves.verify(curveOf(suite), otherSigning, signed, keyData.subarray(signatureBytes)))
    throw new DlmsError("authentication-failed", "the signature of the ephemeral key does not hold");
  return publicKey;
}

function agreedOctets<Key>(
  { platform, suite, profile, client, server }: KeyAgreement<Key>,
  keyId: number,
  ephemeral: Key,
  theirs: Uint8Array,
): Uint8Array {
  const z = platform.curves.agree(curveOf(suite), ephemeral, theirs);
  if (z === undefined) throw new DlmsError("authentication-failed", "the public key is no point of the curve");
  const use = keyId === MASTER_KEY_ID ? "key-wrap" : "cipher";
  return deriveKey(platform.hashes, suite, profile, { z, use, partyU: client, partyV: server });
}
