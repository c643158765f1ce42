import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FactoryError } from "./errors.ts";
import { writeDurably } from "./private-file.ts";

/** The manufacturer's two signatures over the same text; a reader wants both. */
export interface ShipmentSignatures {
  /** r‖s, 96 octets. */
  readonly ecdsa: Uint8Array;
  readonly mldsa: Uint8Array;
}

/** The manufacturer's signing keys: ECDSA P-384 and ML-DSA-65. The private halves never leave this object. */
export interface SigningKeys {
  /** SPKI DER. */
  readonly ecdsaPublicKey: Uint8Array;
  /** SPKI DER. */
  readonly mldsaPublicKey: Uint8Array;
  /** Lower-case hex of SHA-256 over both public keys. */
  readonly keyId: string;
  sign(text: string): ShipmentSignatures;
}

/** Opens the signing keys of the factory's directory, or makes them on the first run. `created` says which. */
export function openSigningKeys(stateDirectory: string): { keys: SigningKeys; created: boolean } {
  const file = join(stateDirectory, "signing-keys.pem");
  const created = !existsSync(file);
  if (created) {
    const pem = { type: "pkcs8", format: "pem" } as const;
    const ecdsa = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
    const mldsa = generateKeyPairSync("ml-dsa-65").privateKey;
    // One file, so that no crash leaves one key without the other.
    writeDurably(file, `${ecdsa.export(pem)}${mldsa.export(pem)}`, 0o600);
  }
  return { keys: signingKeys(readFileSync(file, "utf8"), file), created };
}

function signingKeys(text: string, file: string): SigningKeys {
  const [ecdsa, mldsa, ...rest] = (text.match(/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/g) ?? []).map(
    (pem) => createPrivateKey(pem),
  );
  const right = ecdsa?.asymmetricKeyType === "ec" && mldsa?.asymmetricKeyType === "ml-dsa-65" && rest.length === 0;
  if (!right || ecdsa === undefined || mldsa === undefined) {
    throw new FactoryError(
      "factory-signing-key-mismatch",
      `${file} does not hold an ECDSA P-384 key followed by an ML-DSA-65 key. Restore it from a backup; a new pair would not be trusted by custodians.`,
    );
  }
  const ecdsaPublicKey = publicDer(ecdsa);
  const mldsaPublicKey = publicDer(mldsa);
  return {
    ecdsaPublicKey,
    mldsaPublicKey,
    keyId: createHash("sha256").update(ecdsaPublicKey).update(mldsaPublicKey).digest("hex"),
    sign: (message) => ({
      ecdsa: sign("sha384", Buffer.from(message, "ascii"), { key: ecdsa, dsaEncoding: "ieee-p1363" }),
      mldsa: sign(null, Buffer.from(message, "ascii"), mldsa),
    }),
  };
}

function publicDer(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ type: "spki", format: "der" });
}
