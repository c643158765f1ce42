import assert from "node:assert/strict";
import {
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
} from "node:crypto";
import { test } from "node:test";
import { sealKeys } from "./seal-keys.ts";

const systemTitle = "4D4B5000000007E9";
const encryptionKey = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
const authenticationKey = Uint8Array.from({ length: 16 }, (_, index) => 0x80 + index);
const recipient = generateKeyPairSync("ec", { namedCurve: "P-384" });
const recipientKeys = {
  keyId: "ab".repeat(32),
  ecdhPublicKey: recipient.publicKey.export({ type: "spki", format: "der" }).toString("base64url"),
};

/** The custodian's side, written with node:crypto from docs/formats/shipment.md. */
function unseal(sealed: Awaited<ReturnType<typeof sealKeys>>, title: string): Buffer {
  const epk = Buffer.from(sealed.epk, "base64url");
  const publicKey = createPublicKey({ key: epk, format: "der", type: "spki" });
  const shared = diffieHellman({ privateKey: recipient.privateKey, publicKey });
  const info = Buffer.concat([Buffer.from("meterkeep-meter-1"), createHash("sha256").update(epk).digest()]);
  const key = Buffer.from(hkdfSync("sha384", shared, Buffer.alloc(0), info, 32));
  const text = Buffer.from(sealed.sealed, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(sealed.nonce, "base64url"));
  decipher.setAAD(Buffer.from(`meterkeep-meter-1:${title}`));
  decipher.setAuthTag(text.subarray(-16));
  return Buffer.concat([decipher.update(text.subarray(0, -16)), decipher.final()]);
}

test("sealed keys open with the recipient's private key and only for the meter they name", async () => {
  const sealed = await sealKeys(recipientKeys, systemTitle, { encryptionKey, authenticationKey });
  assert.equal(sealed.alg, "ECDH-P384/HKDF-SHA384/A256GCM");
  assert.equal(sealed.recipient, recipientKeys.keyId);
  const block = unseal(sealed, systemTitle);
  assert.deepEqual(block, Buffer.concat([Buffer.of(0, 16), encryptionKey, Buffer.of(2, 16), authenticationKey]));
  assert.throws(() => unseal(sealed, "4D4B5000000007EA"));
});

test("an authentication key that is not known is left out of the block", async () => {
  const sealed = await sealKeys(recipientKeys, systemTitle, { encryptionKey, authenticationKey: undefined });
  assert.equal(unseal(sealed, systemTitle).length, 18);
});

test("what is sent holds no key octets, and no two sealings are alike", async () => {
  const one = await sealKeys(recipientKeys, systemTitle, { encryptionKey, authenticationKey });
  const two = await sealKeys(recipientKeys, systemTitle, { encryptionKey, authenticationKey });
  const text = JSON.stringify(one);
  for (const key of [encryptionKey, authenticationKey])
    for (const encoding of ["hex", "base64", "base64url"] as const)
      assert.ok(!text.toLowerCase().includes(Buffer.from(key).toString(encoding).toLowerCase().replace(/=+$/, "")));
  assert.notEqual(one.epk, two.epk);
  assert.notEqual(one.nonce, two.nonce);
});
