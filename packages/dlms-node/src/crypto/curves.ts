import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { type Curve, type Curves, DlmsError } from "@meterkeep/dlms";

const CURVES = {
  "P-256": {
    named: "prime256v1",
    hash: "sha256",
    coordinateBytes: 32,
    spki: "3059301306072a8648ce3d020106082a8648ce3d03010703420004",
  },
  "P-384": {
    named: "secp384r1",
    hash: "sha384",
    coordinateBytes: 48,
    spki: "3076301006072a8648ce3d020106052b8104002203620004",
  },
} as const;

/** ECDSA and ECDH on P-256 and P-384 by node:crypto. Private keys are `KeyObject`s. */
export const nodeCurves: Curves<KeyObject> = {
  generate(curve) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: CURVES[curve].named });
    return { privateKey, publicKey: publicKeyOctets(publicKey) };
  },
  sign(curve, privateKey, message) {
    requireCurve(curve, privateKey);
    return new Uint8Array(sign(CURVES[curve].hash, message, { key: privateKey, dsaEncoding: "ieee-p1363" }));
  },
  verify(curve, publicKey, message, signature) {
    const { hash, coordinateBytes } = CURVES[curve];
    if (signature.length !== 2 * coordinateBytes) return false;
    const key = importPublicKey(curve, publicKey);
    return key !== undefined && verify(hash, message, { key, dsaEncoding: "ieee-p1363" }, signature);
  },
  agree(curve, privateKey, publicKey) {
    requireCurve(curve, privateKey);
    const key = importPublicKey(curve, publicKey);
    return key === undefined ? undefined : new Uint8Array(diffieHellman({ privateKey, publicKey: key }));
  },
};

/** x and y of an EC public key, or of the public half of a private one. */
export function publicKeyOctets(key: KeyObject): Uint8Array {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const curve = curveOf(publicKey);
  const spki = publicKey.export({ type: "spki", format: "der" });
  return new Uint8Array(spki.subarray(-2 * CURVES[curve].coordinateBytes));
}

/**
 * A private key of its number d and its public point, which must be d's.
 *
 * @throws DlmsError `invalid-value`
 */
export function importPrivateKey(curve: Curve, d: Uint8Array, publicKey: Uint8Array): KeyObject {
  const { coordinateBytes } = CURVES[curve];
  const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString("base64url");
  try {
    return createPrivateKey({
      format: "jwk",
      key: {
        kty: "EC",
        crv: curve,
        d: base64(d),
        x: base64(publicKey.subarray(0, coordinateBytes)),
        y: base64(publicKey.subarray(coordinateBytes)),
      },
    });
  } catch (cause) {
    throw new DlmsError("invalid-value", `this is no private key of ${curve}`, { cause });
  }
}

function importPublicKey(curve: Curve, octets: Uint8Array): KeyObject | undefined {
  const { spki, coordinateBytes } = CURVES[curve];
  if (octets.length !== 2 * coordinateBytes) return undefined;
  try {
    return createPublicKey({ key: Buffer.concat([Buffer.from(spki, "hex"), octets]), format: "der", type: "spki" });
  } catch {
    // No point of the curve: who sends one tries to learn something of our key.
    return undefined;
  }
}

function requireCurve(curve: Curve, key: KeyObject): void {
  if (curveOf(key) !== curve) throw new DlmsError("invalid-value", `the key is not one of ${curve}`);
}

function curveOf(key: KeyObject): Curve {
  const named = key.asymmetricKeyDetails?.namedCurve;
  for (const [curve, row] of Object.entries(CURVES)) if (row.named === named) return curve as Curve;
  throw new DlmsError("invalid-value", "the key is on neither P-256 nor P-384");
}
