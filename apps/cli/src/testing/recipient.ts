import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";

/** The text of a `recipient.json` with that ECDH key. */
export function recipientOf(ecdh: KeyObject): string {
  const der = { type: "spki", format: "der" } as const;
  const ecdhDer = ecdh.export(der);
  const mlkemDer = generateKeyPairSync("ml-kem-768").publicKey.export(der);
  return JSON.stringify({
    keyId: createHash("sha256").update(ecdhDer).update(mlkemDer).digest("hex"),
    ecdhPublicKey: ecdhDer.toString("base64url"),
    mlkemPublicKey: mlkemDer.toString("base64url"),
  });
}
