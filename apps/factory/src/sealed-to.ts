import { createCipheriv, createHash, diffieHellman, encapsulate, generateKeyPairSync, hkdfSync } from "node:crypto";
import type { Recipient } from "./recipient.ts";

const CONTENT_KEY_BYTES = 32;

/** The content key, sealed with both of a recipient's keys: it is safe while either of them is. */
export function sealedTo(recipient: Recipient, shipment: Buffer, contentKey: Uint8Array) {
  const ephemeral = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const zEcdh = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient.ecdh });
  const { sharedKey: zMlkem, ciphertext: kem } = encapsulate(recipient.mlkem);
  const epk = ephemeral.publicKey.export({ type: "spki", format: "der" });
  const label = Buffer.from("meterkeep-shipment-2", "ascii");
  const z = Buffer.concat([zEcdh, zMlkem]);
  const info = Buffer.concat([label, sha256(epk), sha256(kem)]);
  const sealing = Buffer.from(hkdfSync("sha384", z, shipment, info, CONTENT_KEY_BYTES));
  const cipher = createCipheriv("aes-256-gcm", sealing, Buffer.alloc(12));
  cipher.setAAD(Buffer.concat([label, shipment, Buffer.from(recipient.keyId, "hex")]));
  const key = Buffer.concat([cipher.update(contentKey), cipher.final(), cipher.getAuthTag()]);
  for (const secret of [zEcdh, zMlkem, z, sealing]) secret.fill(0);
  return {
    keyId: recipient.keyId,
    epk: epk.toString("base64url"),
    kem: kem.toString("base64url"),
    key: key.toString("base64url"),
  };
}

function sha256(octets: Buffer): Buffer {
  return createHash("sha256").update(octets).digest();
}
