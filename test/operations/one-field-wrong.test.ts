import assert from "node:assert/strict";
import { test } from "node:test";
import { systemTitle } from "@meterkeep/dlms";
import { MeterCertificates } from "../../packages/meter/src/certificates/meter-certificates.ts";
import { PROFILES } from "../../packages/pki/src/profile/profiles.ts";
import { issueDevice, makeTree } from "../../packages/pki/src/testing/test-tree.ts";
import { wrongFields } from "../../packages/pki/src/testing/wrong-fields.ts";

/** A meter that has its authorities, and is given the certificate of another device of the same tree. */
function peer(tree: ReturnType<typeof makeTree>, suite: 1 | 2 = 1): MeterCertificates {
  const anchor = Buffer.from(tree.root.certificate.octets).toString("base64");
  const title = systemTitle(Uint8Array.from(Buffer.from("4D4B300000000099", "hex")));
  const meter = new MeterCertificates(title, suite, [anchor], undefined, {
    certificateFault: "none",
    keepCredentials: () => undefined,
    losesPower: () => false,
  });
  const issuing = suite === 1 ? tree.issuing : tree.issuing384;
  for (const { certificate } of [tree.scheme, tree.utility, issuing]) assert.ok(meter.import(certificate.octets));
  return meter;
}

const tree = makeTree();
const good = issueDevice(tree.issuing, "dlms-suite-1-signature");

test("a DLMS peer takes a certificate of ours", () => assert.ok(peer(tree).import(good.octets)));

for (const { name, certificate, meter } of wrongFields(good, tree.issuing.signer))
  test(`${name}: a DLMS peer ${meter ? "refuses" : "does not look at that"}`, () => {
    assert.equal(peer(tree).import(certificate.octets), !meter);
  });

for (const suite of [1, 2] as const)
  for (const profile of PROFILES.keys())
    if (profile.includes(`-suite-${suite}-`))
      test(`${profile}: a DLMS peer takes it, and neither one whose signature is spoilt nor one of another tree`, () => {
        const of = (one: typeof tree) => issueDevice(suite === 1 ? one.issuing : one.issuing384, profile).octets;
        const octets = of(tree);
        const spoilt = octets.slice();
        spoilt[spoilt.length - 1]! ^= 1;
        assert.equal(peer(tree, suite).import(spoilt), false);
        assert.equal(peer(tree, suite).import(of(makeTree())), false);
        assert.equal(peer(tree, suite).import(octets), true);
      });
