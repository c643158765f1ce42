import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { CustodyError } from "../errors.ts";

/** A manufacturer whose shipments are accepted: by configuration, never by what a file says. */
export interface TrustedManufacturer {
  readonly name: string;
  /** The three letters its system titles begin with. */
  readonly flag: string;
  /** Its meters are virtual ones. */
  readonly simulated: boolean;
  /** Lower-case hex of SHA-256 over the two SPKIs. */
  readonly keyId: string;
  /** True when both signatures are over `text`. */
  verifies(text: string, ecdsa: Uint8Array, mldsa: Uint8Array): { readonly ecdsa: boolean; readonly mldsa: boolean };
}

/**
 * Takes a manufacturer's public keys, SPKI DER in base64url.
 *
 * @throws CustodyError `custodian-config-invalid` when they are not a P-384 and an ML-DSA-65 key.
 */
export function trustedManufacturer(config: {
  readonly name: string;
  readonly flag: string;
  readonly ecdsaPublicKey: string;
  readonly mldsaPublicKey: string;
  readonly simulated?: boolean | undefined;
}): TrustedManufacturer {
  const ecdsaSpki = Buffer.from(config.ecdsaPublicKey, "base64url");
  const mldsaSpki = Buffer.from(config.mldsaPublicKey, "base64url");
  const ecdsaKey = publicKey(config.name, ecdsaSpki);
  const mldsaKey = publicKey(config.name, mldsaSpki);
  if (ecdsaKey.asymmetricKeyDetails?.namedCurve !== "secp384r1" || mldsaKey.asymmetricKeyType !== "ml-dsa-65")
    throw new CustodyError(
      "custodian-config-invalid",
      `the keys of manufacturer ${config.name} are not ECDSA P-384 and ML-DSA-65`,
    );
  return {
    name: config.name,
    flag: config.flag,
    simulated: config.simulated === true,
    keyId: createHash("sha256").update(ecdsaSpki).update(mldsaSpki).digest("hex"),
    verifies: (text, ecdsa, mldsa) => {
      const octets = Buffer.from(text, "ascii");
      return {
        ecdsa: verify("sha384", octets, { key: ecdsaKey, dsaEncoding: "ieee-p1363" }, ecdsa),
        mldsa: verify(null, octets, mldsaKey, mldsa),
      };
    },
  };
}

function publicKey(name: string, spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: "der", type: "spki" });
  } catch (cause) {
    throw new CustodyError("custodian-config-invalid", `a key of manufacturer ${name} is not SPKI DER in base64url`, {
      cause,
    });
  }
}
