import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { FactoryError } from "./errors.ts";

/** Whom a shipment is sealed to: the custodian's public keys. */
export interface Recipient {
  readonly ecdh: KeyObject;
  readonly mlkem: KeyObject;
  /** Lower-case hex of SHA-256 over both public keys (SPKI DER). */
  readonly keyId: string;
}

/** Reads `recipient.json`. Throws `factory-recipient-malformed` where a key is missing, of another kind, or not the one the key id names. */
export function parseRecipient(text: string): Recipient {
  try {
    const file: unknown = JSON.parse(text);
    const ecdhDer = member(file, "ecdhPublicKey");
    const mlkemDer = member(file, "mlkemPublicKey");
    const ecdh = createPublicKey({ key: ecdhDer, format: "der", type: "spki" });
    const mlkem = createPublicKey({ key: mlkemDer, format: "der", type: "spki" });
    if (ecdh.asymmetricKeyDetails?.namedCurve !== "secp384r1") throw new Error("the ECDH key is not on P-384");
    if (mlkem.asymmetricKeyType !== "ml-kem-768") throw new Error("the KEM key is not ML-KEM-768");
    const keyId = createHash("sha256").update(ecdhDer).update(mlkemDer).digest("hex");
    if ((file as { keyId?: unknown }).keyId !== keyId) throw new Error("keyId is not that of the two keys");
    return { ecdh, mlkem, keyId };
  } catch (cause) {
    throw new FactoryError(
      "factory-recipient-malformed",
      `recipient.json cannot be used (${cause instanceof Error ? cause.message : String(cause)}). Ask the custodian for it anew.`,
      { cause },
    );
  }
}

function member(file: unknown, name: string): Buffer {
  const value =
    typeof file === "object" && file !== null ? (file as Readonly<Record<string, unknown>>)[name] : undefined;
  if (typeof value !== "string" || !/^[A-Za-z0-9_-]+$/.test(value)) throw new Error(`${name} is not base64url`);
  return Buffer.from(value, "base64url");
}
