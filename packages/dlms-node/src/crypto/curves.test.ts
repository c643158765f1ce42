import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { test } from "node:test";
import { fromHex, toHex } from "@meterkeep/dlms";
import { importPrivateKey, nodeCurves, publicKeyOctets } from "./curves.ts";

/** RFC 5903, 8.1 and 8.2. */
const AGREED = [
  {
    curve: "P-256",
    d: "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
    own: "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C37725811805271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
    other:
      "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF6356FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
    z: "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE",
  },
  {
    curve: "P-384",
    d: "099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194",
    own: "667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C",
    other:
      "E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C",
    z: "11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746",
  },
] as const;

test("shared secrets are as RFC 5903 prints them", () => {
  for (const { curve, d, own, other, z } of AGREED) {
    const key = importPrivateKey(curve, fromHex(d), fromHex(own));
    assert.equal(toHex(publicKeyOctets(key)), own.toLowerCase());
    assert.equal(toHex(nodeCurves.agree(curve, key, fromHex(other)) ?? fromHex("")), z.toLowerCase());
  }
});

test("a signature has its curve's length, holds for its message and key alone, and is no DER", () => {
  for (const [curve, bytes] of [
    ["P-256", 64],
    ["P-384", 96],
  ] as const) {
    const { privateKey, publicKey } = nodeCurves.generate(curve);
    assert.equal(publicKey.length, bytes);
    const message = fromHex("c0010000080000010000ff0200");
    const signature = nodeCurves.sign(curve, privateKey, message);
    assert.equal(signature.length, bytes);
    assert.ok(nodeCurves.verify(curve, publicKey, message, signature));
    assert.ok(!nodeCurves.verify(curve, publicKey, message.subarray(1), signature));
    assert.ok(!nodeCurves.verify(curve, nodeCurves.generate(curve).publicKey, message, signature));
    assert.ok(!nodeCurves.verify(curve, publicKey, message, signature.subarray(1)));
    assert.ok(!nodeCurves.verify(curve, publicKey, message, new Uint8Array(bytes)));
    assert.ok(!nodeCurves.verify(curve, publicKey.subarray(1), message, signature));
  }
});

test("a key of another curve, or a number that is not the point's, is refused", () => {
  const { privateKey, publicKey } = nodeCurves.generate("P-256");
  assert.throws(() => nodeCurves.sign("P-384", privateKey, publicKey), { code: "invalid-value" });
  assert.throws(() => nodeCurves.agree("P-384", privateKey, publicKey), { code: "invalid-value" });
  assert.throws(() => importPrivateKey("P-256", new Uint8Array(32), publicKey), { code: "invalid-value" });
  const other = nodeCurves.generate("P-256").publicKey;
  const { d } = privateKey.export({ format: "jwk" });
  const number = new Uint8Array(Buffer.from(d ?? "", "base64url"));
  assert.throws(() => importPrivateKey("P-256", number, other), { code: "invalid-value" });
  const whole = importPrivateKey("P-256", number, publicKey);
  assert.equal(
    toHex(publicKeyOctets(createPublicKey(createPrivateKey(whole.export({ type: "pkcs8", format: "pem" }))))),
    toHex(publicKey),
  );
});
