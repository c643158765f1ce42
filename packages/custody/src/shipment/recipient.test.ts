import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { CustodyError } from "../errors.ts";
import { freshAgreementSecret, softwareAgreementKey } from "../vault/agreement.ts";
import { freshKemSecret, recipientOf } from "./recipient.ts";

const spki = (key: KeyObject) => new Uint8Array(key.export({ type: "spki", format: "der" }));
const seal = (epk: Uint8Array) => ({ epk, kem: new Uint8Array(1088), key: new Uint8Array(48) });

/** A point of P-384 with its last octet changed: on no curve, or on another than the one that is named. */
function offTheCurve(): Uint8Array {
  const whole = spki(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey);
  return whole.map((octet, at) => (at === whole.length - 1 ? octet ^ 1 : octet));
}

test("what is no public key on P-384 never gets as far as the private key, wherever that is", async () => {
  const own = softwareAgreementKey(freshAgreementSecret());
  let asked = 0;
  const agree: typeof own.agree = (peer) => {
    asked += 1;
    return own.agree(peer);
  };
  const recipient = recipientOf({ ...own, agree }, freshKemSecret());
  const wrong = [
    offTheCurve(),
    spki(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey),
    spki(generateKeyPairSync("ec", { namedCurve: "secp521r1" }).publicKey),
    spki(generateKeyPairSync("x25519").publicKey),
    spki(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey).subarray(0, 100),
    // The point at infinity.
    Uint8Array.from(Buffer.from("3016301006072a8648ce3d020106052b8104002203020000", "hex")),
    new Uint8Array(0),
  ];
  for (const epk of wrong) {
    assert.equal(await recipient.shipmentContentKey(new Uint8Array(16), seal(epk)), undefined);
    assert.equal(await recipient.meterContentKey(epk), undefined);
  }
  assert.equal(asked, 0);
  const good = spki(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey);
  assert.equal(await recipient.shipmentContentKey(new Uint8Array(16), seal(good)), undefined);
  assert.ok(await recipient.meterContentKey(good));
  assert.equal(asked, 2);
});

test("where no token answers nothing is said of what was to be opened", async () => {
  const own = softwareAgreementKey(freshAgreementSecret());
  const agree = async () => {
    throw new CustodyError("vault-unavailable", "no token of the vault can do this now");
  };
  const recipient = recipientOf({ ...own, agree }, freshKemSecret());
  const epk = spki(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey);
  await assert.rejects(recipient.shipmentContentKey(new Uint8Array(16), seal(epk)), { code: "vault-unavailable" });
  await assert.rejects(recipient.meterContentKey(epk), { code: "vault-unavailable" });
});
