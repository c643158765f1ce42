import assert from "node:assert/strict";
import {
  createDecipheriv,
  createHash,
  createPublicKey,
  decapsulate,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from "node:crypto";

// Written from docs/formats/shipment.md, apart from the writer and from the custodian's reader.

/** Somebody who can open a shipment. */
export interface TestRecipient {
  readonly ecdh: KeyObject;
  readonly mlkem: KeyObject;
  readonly keyId: string;
  /** Text of its `recipient.json`. */
  readonly json: string;
}

export function testRecipient(): TestRecipient {
  const ecdh = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const mlkem = generateKeyPairSync("ml-kem-768");
  const ecdhDer = ecdh.publicKey.export({ type: "spki", format: "der" });
  const mlkemDer = mlkem.publicKey.export({ type: "spki", format: "der" });
  const keyId = createHash("sha256").update(ecdhDer).update(mlkemDer).digest("hex");
  const json = JSON.stringify({
    keyId,
    ecdhPublicKey: ecdhDer.toString("base64url"),
    mlkemPublicKey: mlkemDer.toString("base64url"),
  });
  return { ecdh: ecdh.privateKey, mlkem: mlkem.privateKey, keyId, json };
}

/** Unseals the keys of every meter, by system title, as the document says. */
export function unseal(lines: readonly string[], custodian: TestRecipient): Map<string, string> {
  const header = JSON.parse(lines[0] ?? "") as {
    shipment: string;
    seal: { recipients: readonly { keyId: string; epk: string; kem: string; key: string }[] };
  };
  const ours = header.seal.recipients.find(({ keyId }) => keyId === custodian.keyId);
  assert.ok(ours !== undefined);
  const epk = Buffer.from(ours.epk, "base64url");
  const kem = Buffer.from(ours.kem, "base64url");
  const publicKey = createPublicKey({ key: epk, format: "der", type: "spki" });
  const z = Buffer.concat([
    diffieHellman({ privateKey: custodian.ecdh, publicKey }),
    decapsulate(custodian.mlkem, kem),
  ]);
  assert.equal(z.length, 48 + 32);
  const sha256 = (octets: Buffer): Buffer => createHash("sha256").update(octets).digest();
  const label = Buffer.from("meterkeep-shipment-2");
  const shipment = Buffer.from(header.shipment, "hex");
  const info = Buffer.concat([label, sha256(epk), sha256(kem)]);
  const sealing = Buffer.from(hkdfSync("sha384", z, shipment, info, 32));
  const wrapped = Buffer.from(ours.key, "base64url");
  const unwrapping = createDecipheriv("aes-256-gcm", sealing, Buffer.alloc(12), { authTagLength: 16 });
  unwrapping.setAAD(Buffer.concat([label, shipment, Buffer.from(custodian.keyId, "hex")]));
  unwrapping.setAuthTag(wrapped.subarray(-16));
  const key = Buffer.concat([unwrapping.update(wrapped.subarray(0, -16)), unwrapping.final()]);
  const found = new Map<string, string>();
  for (const line of lines.slice(1, -1)) {
    const { keys, ...facts } = JSON.parse(line) as { n: number; keys: string; systemTitle: string };
    const sealed = Buffer.from(keys, "base64url");
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(facts.n, 8);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
    decipher.setAAD(
      createHash("sha384")
        .update(line.replace(`"keys":"${keys}",`, ""))
        .digest(),
    );
    decipher.setAuthTag(sealed.subarray(-16));
    const block = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    found.set(facts.systemTitle, block.toString("hex"));
  }
  return found;
}
