import assert from "node:assert/strict";
import { createECDH } from "node:crypto";
import { test } from "node:test";
import { importPrivateKey, nodeCurves, nodeHashes, nodePlatform } from "@meterkeep/dlms-node";
import { concatBytes, fromHex, toHex } from "../bytes.ts";
import { sharedFile } from "../shared-folder.test.ts";
import { systemTitle } from "../system-title.ts";
import { answerKeyAgreement, completeKeyAgreement, offerKeyAgreement } from "./key-agreement.ts";
import { deriveKey } from "./key-derivation.ts";
import type { SecuritySuiteId } from "./suites.ts";

interface KeyAgreementVectors {
  readonly kdf: readonly {
    readonly scheme: string;
    readonly suite?: SecuritySuiteId;
    readonly z?: string;
    readonly clientKeyAgreementPrivate?: string;
    readonly serverKeyAgreementPublic?: string;
    readonly algorithmId: string;
    readonly partyU: string;
    readonly partyV: string;
    readonly key: string;
  }[];
  readonly ecdh: readonly { readonly private: string; readonly public: string; readonly z: string }[];
  readonly signatures: readonly { readonly public: string; readonly signed: string; readonly signature: string }[];
}

const vectors = sharedFile("vectors/key-agreement.json") as KeyAgreementVectors | undefined;
const skip = vectors === undefined ? "the published vectors are not here" : false;

test("keys are derived as published, with both encodings of the AlgorithmID", { skip }, () => {
  const withZ = vectors!.kdf.filter(({ partyU }) => partyU !== undefined);
  let derived = 0;
  for (const { z, suite, algorithmId, partyU, partyV, key, scheme, ...agreed } of withZ) {
    const shared = z === undefined ? agreedSecret(agreed) : fromHex(z);
    if (shared === undefined || suite === undefined) continue;
    const algorithmIdPrefix = algorithmId.startsWith("6085740508") ? "6085740508" : "6085740608";
    const input = { z: shared, partyU: fromHex(partyU), partyV: fromHex(partyV) };
    assert.equal(toHex(deriveKey(nodeHashes, suite, { algorithmIdPrefix }, input)), key.toLowerCase(), scheme);
    assert.ok(
      shared.every((octet) => octet === 0),
      "the shared secret is destroyed",
    );
    derived += 1;
  }
  assert.equal(derived, 8);
});

function agreedSecret(vector: {
  readonly clientKeyAgreementPrivate?: string;
  readonly serverKeyAgreementPublic?: string;
}): Uint8Array | undefined {
  const { clientKeyAgreementPrivate: d, serverKeyAgreementPublic: q } = vector;
  return d === undefined || q === undefined ? undefined : agreeWithNumber(d, q);
}

/** The vectors give private numbers without their public points: node:crypto computes those. */
function agreeWithNumber(d: string, q: string): Uint8Array | undefined {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(Buffer.from(d, "hex"));
  const key = importPrivateKey("P-256", fromHex(d), new Uint8Array(ecdh.getPublicKey().subarray(1)));
  return nodeCurves.agree("P-256", key, fromHex(q));
}

test("shared secrets and signatures are as published", { skip }, () => {
  for (const { private: d, public: q, z } of vectors!.ecdh)
    assert.equal(toHex(agreeWithNumber(d, q)!), z.toLowerCase());
  for (const { public: q, signed, signature } of vectors!.signatures) {
    assert.ok(nodeCurves.verify("P-256", fromHex(q), fromHex(signed), fromHex(signature)));
    const changed = fromHex(signed);
    changed[0]! ^= 1;
    assert.ok(!nodeCurves.verify("P-256", fromHex(q), changed, fromHex(signature)));
  }
});

for (const suite of [1, 2] as const)
  test(`client and server agree on keys by key_agreement in suite ${suite}`, () => {
    const curve = suite === 1 ? "P-256" : "P-384";
    const [clientKeys, serverKeys] = [nodeCurves.generate(curve), nodeCurves.generate(curve)];
    const common = {
      platform: nodePlatform,
      suite,
      profile: { algorithmIdPrefix: "6085740508" },
      client: systemTitle(fromHex("4d4d4d0000bc614e")),
      server: systemTitle(fromHex("4d4d4d0000000001")),
    } as const;
    const client = { ...common, signing: clientKeys.privateKey, otherSigning: serverKeys.publicKey };
    const server = { ...common, signing: serverKeys.privateKey, otherSigning: clientKeys.publicKey };
    for (const keyId of [0, 1, 2, 3]) {
      const offer = offerKeyAgreement(client, keyId);
      const answer = answerKeyAgreement(server, keyId, offer.keyData);
      assert.equal(toHex(completeKeyAgreement(client, offer, answer.keyData)), toHex(answer.octets));
      assert.equal(answer.octets.length, suite === 1 ? 16 : 32);
      // An offer for one key does not serve for another, and a changed one for none.
      assert.throws(() => answerKeyAgreement(server, keyId ^ 1, offer.keyData), { code: "authentication-failed" });
      const changed = concatBytes(offer.keyData);
      changed[3]! ^= 0x10;
      assert.throws(() => answerKeyAgreement(server, keyId, changed), { code: "authentication-failed" });
      assert.throws(() => answerKeyAgreement(server, keyId, changed.subarray(1)), { code: "wrong-length" });
    }
  });

test("a public key that is no point of the curve agrees on nothing", () => {
  const { privateKey, publicKey } = nodeCurves.generate("P-256");
  const off = concatBytes(publicKey);
  off[63]! ^= 1;
  assert.equal(nodeCurves.agree("P-256", privateKey, off), undefined);
  assert.equal(nodeCurves.agree("P-256", privateKey, new Uint8Array(64)), undefined);
  assert.equal(nodeCurves.agree("P-256", privateKey, publicKey.subarray(1)), undefined);
  assert.ok(!nodeCurves.verify("P-256", off, publicKey, new Uint8Array(64)));
});

test("suite 0 agrees on nothing, and a secret of the wrong curve is refused", () => {
  const party = new Uint8Array(8);
  const derive = (suite: SecuritySuiteId, bytes: number) =>
    deriveKey(
      nodeHashes,
      suite,
      { algorithmIdPrefix: "6085740508" },
      { z: new Uint8Array(bytes), partyU: party, partyV: party },
    );
  assert.throws(() => derive(0, 32), { code: "invalid-value" });
  assert.throws(() => derive(2, 32), { code: "wrong-length" });
});
