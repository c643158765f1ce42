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
import { fromHex } from "@meterkeep/dlms";
import { sealMeterKeys } from "./seal-keys.ts";

const TITLE = "4D4B560000000001";
const keys = {
  encryptionKey: fromHex("000102030405060708090A0B0C0D0E0F"),
  authenticationKey: fromHex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"),
};
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
const recipient = {
  keyId: "ab".repeat(32),
  ecdhPublicKey: publicKey.export({ format: "der", type: "spki" }).toString("base64url"),
  mlkemPublicKey: "",
};

/** Opens as docs/formats/shipment.md says; throws where the AAD or anything else differs. */
function open(sealed: ReturnType<typeof sealMeterKeys>, title: string): string {
  const epk = Buffer.from(sealed.epk, "base64url");
  const secret = diffieHellman({ privateKey, publicKey: createPublicKey({ key: epk, format: "der", type: "spki" }) });
  const info = Buffer.concat([Buffer.from("meterkeep-meter-1"), createHash("sha256").update(epk).digest()]);
  const key = Buffer.from(hkdfSync("sha384", secret, Buffer.alloc(0), info, 32));
  const octets = Buffer.from(sealed.sealed, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(sealed.nonce, "base64url"));
  decipher.setAAD(Buffer.from(`meterkeep-meter-1:${title}`));
  decipher.setAuthTag(octets.subarray(-16));
  return Buffer.concat([decipher.update(octets.subarray(0, -16)), decipher.final()])
    .toString("hex")
    .toUpperCase();
}

test("sealed keys open for the recipient, for this meter alone, as the document says", () => {
  const sealed = sealMeterKeys(keys, TITLE, recipient);
  assert.equal(open(sealed, TITLE), "0010000102030405060708090A0B0C0D0E0F0210D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF");
  assert.throws(() => open(sealed, "4D4B560000000002"));
  assert.equal(sealed.recipient, recipient.keyId);
});

test("no two sealings are alike, and none shows a key", () => {
  const [a, b] = [sealMeterKeys(keys, TITLE, recipient), sealMeterKeys(keys, TITLE, recipient)];
  assert.notEqual(a.sealed, b.sealed);
  assert.ok(!Buffer.from(a.sealed, "base64url").includes(Buffer.from(keys.encryptionKey)));
});

test("the caller's keys are left as they are", () => {
  sealMeterKeys(keys, TITLE, recipient);
  assert.equal(keys.encryptionKey[1], 1);
});
