import { createHash, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
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

/**
 * The roots that the customer wants its meters to trust, base64 of DER: they are burned in, and nothing changes them
 * afterwards. None where the customer has named none.
 *
 * Throws `factory-recipient-malformed` where the file says something else.
 */
export function orderedAnchors(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  try {
    const { anchors } = JSON.parse(readFileSync(path, "utf8")) as { anchors: readonly Record<string, unknown>[] };
    return anchors.map((anchor) => {
      const { certificate, sha256 } = anchor;
      const octets = Buffer.from(String(certificate), "base64");
      if (createHash("sha256").update(octets).digest("hex") !== sha256)
        throw new Error("an anchor is not the one that its SHA-256 names");
      new X509Certificate(octets);
      return octets.toString("base64");
    });
  } catch (cause) {
    throw new FactoryError(
      "factory-recipient-malformed",
      `${path} cannot be used (${cause instanceof Error ? cause.message : String(cause)}). Ask the custodian for it anew.`,
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
