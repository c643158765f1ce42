import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** The curves on which people and policy services sign, and what they hash with. */
const CURVES = { prime256v1: { hash: "sha256" }, secp384r1: { hash: "sha384" } } as const;

/** An EC public key from SPKI octets, where it is on a curve that is taken here. */
export function ecPublicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    return hashOf(key) === undefined ? undefined : key;
  } catch {
    return undefined;
  }
}

/** Verifies ECDSA, r and s, SHA-256 on P-256 and SHA-384 on P-384. Anything else is false. */
export function isSigned(spki: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  const key = ecPublicKey(spki);
  const hash = key && hashOf(key);
  return key !== undefined && verify(hash, signed, { key, dsaEncoding: "ieee-p1363" }, signature);
}

function hashOf(key: KeyObject): string | undefined {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return key.asymmetricKeyType === "ec" && curve !== undefined && curve in CURVES
    ? CURVES[curve as keyof typeof CURVES].hash
    : undefined;
}
