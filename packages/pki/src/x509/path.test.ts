import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { IssueOrder } from "../authority/issue.ts";
import { BEGIN, freshKey, issueDevice, makeAuthority, makeRoot, makeTree, profileNamed } from "../testing/test-tree.ts";
import { type Certificate, decodeCertificate, encodeCertificate } from "./certificate.ts";
import { type PathOptions, type PathProblem, validatePath } from "./path.ts";

const NOW = new Date("2027-01-01T00:00:00Z");

// The cases of RFC 5280 clause 6 that apply to certificates on EC keys without policies mapping and name constraints.
describe("paths", () => {
  const tree = makeTree();
  const between = [tree.scheme, tree.utility, tree.issuing, tree.issuing384].map(({ certificate }) => certificate);
  const judge = (certificate: Certificate, rest: Partial<PathOptions> = {}) =>
    validatePath(certificate, {
      anchors: [tree.root.certificate],
      intermediates: between,
      at: NOW,
      usage: "digitalSignature",
      ...rest,
    });
  const problem = (certificate: Certificate, rest: Partial<PathOptions> = {}): PathProblem | "none" => {
    const verdict = judge(certificate, rest);
    return verdict.isTrusted ? "none" : verdict.problem;
  };
  const device = (rest: Partial<IssueOrder> = {}) => issueDevice(tree.issuing, "dlms-suite-1-signature", rest);

  test("a meter's certificate is trusted through issuing, utility and scheme to the root, in any order of them", () => {
    const verdict = judge(device(), { intermediates: between.toReversed() });
    assert.ok(verdict.isTrusted);
    assert.equal(verdict.path.length, 5);
    assert.equal(verdict.path.at(-1), tree.root.certificate);
  });

  test("a path may end at any anchor, also one below the root", () => {
    assert.equal(problem(device(), { anchors: [tree.issuing.certificate], intermediates: [] }), "none");
  });

  test("without one of the certificates between there is no path", () => {
    for (const left of between.slice(0, 3))
      assert.equal(problem(device(), { intermediates: between.filter((one) => one !== left) }), "no-path");
    assert.equal(problem(device(), { anchors: [] }), "no-path");
  });

  test("a root of the same name with another key is another root", () => {
    assert.equal(problem(device(), { anchors: [makeRoot().certificate] }), "no-path");
    // Even where it claims the same key identifier.
    const impostor = makeAuthority(makeRoot(), "scheme");
    const forged = makeAuthority(impostor, "utility");
    assert.equal(problem(issueDevice(makeAuthority(forged, "issuing-p256"), "dlms-suite-1-signature")), "no-path");
  });

  test("a key is used for what its certificate says and nothing else", () => {
    assert.equal(problem(device(), { usage: "keyAgreement" }), "usage-not-allowed");
    assert.equal(problem(issueDevice(tree.issuing, "dlms-suite-1-key-agreement"), { usage: "keyAgreement" }), "none");
  });

  test("dates are judged along the whole path; 99991231235959Z is no date but no end", () => {
    assert.equal(problem(device(), { at: new Date("2025-12-31") }), "not-yet-valid");
    assert.equal(problem(device(), { at: new Date("2060-01-01") }), "expired");
    const anchors = [tree.issuing.certificate];
    assert.equal(problem(device(), { anchors, at: new Date("2052-01-01") }), "expired");
    assert.equal(problem(device({ notBefore: new Date("2028-01-01") })), "not-yet-valid");
    const technician = issueDevice(tree.issuing, "technician", { subject: { names: { CN: "Thandi" } } });
    assert.equal(problem(technician, { at: new Date(BEGIN.getTime() + 31 * 86_400_000) }), "expired");
  });

  test("an end entity signs no certificate, whatever it writes into it", () => {
    const signer = freshKey("P-256");
    const leaf = device({ publicKey: signer.publicKey });
    // It presents itself as the issuer by borrowing the certificate of one that may.
    const disguised = { signer, certificate: { ...tree.issuing.certificate, subject: leaf.subject } };
    const below = issueDevice(disguised, "dlms-suite-1-signature");
    assert.equal(problem(below, { intermediates: [...between, leaf] }), "no-path");
    const withoutKey = { ...below, extensions: below.extensions.filter(({ id }) => id !== "2.5.29.35") };
    assert.equal(problem(withoutKey, { intermediates: [...between, leaf] }), "not-an-authority");
  });

  test("more authorities than one above allows are too many", () => {
    const unlimited = { ...profileNamed("issuing-p256"), authority: { pathLength: null } } as const;
    const utility = { ...tree.utility, certificate: withoutPathLength(tree.utility.certificate) };
    const issuing = makeAuthority(utility, "issuing-p256", "deep", { profile: unlimited });
    const deeper = makeAuthority(issuing, "issuing-p256", "deeper", { profile: unlimited });
    const certificate = issueDevice(deeper, "dlms-suite-1-signature");
    const intermediates = [...between, issuing.certificate, deeper.certificate];
    assert.equal(problem(certificate, { intermediates }), "too-long");
  });

  test("P-384 under P-256 is refused, and a signature of another curve than its issuer's key", () => {
    const strong = issueDevice(
      {
        ...tree.issuing,
        certificate: { ...tree.issuing.certificate, publicKey: tree.issuing384.certificate.publicKey },
      },
      "dlms-suite-2-signature",
    );
    assert.equal(problem(strong), "curve-above-issuer");
    assert.equal(problem({ ...device(), signatureAlgorithm: "ecdsa-with-SHA384" }), "algorithm-mismatch");
  });

  test("an unknown critical extension is refused, wherever it stands", () => {
    const unknown = { id: "1.3.6.1.4.1.99999.7", critical: true, value: new Uint8Array(2) };
    const leaf = device();
    assert.equal(problem({ ...leaf, extensions: [...leaf.extensions, unknown] }), "critical-extension-unknown");
    const issuing = { ...tree.issuing.certificate, extensions: [...tree.issuing.certificate.extensions, unknown] };
    assert.equal(problem(leaf, { intermediates: [...between.slice(0, 2), issuing] }), "critical-extension-unknown");
  });

  test("what an issuer revoked is refused, also an authority, and before its signature is looked at", () => {
    const leaf = device();
    assert.equal(problem(leaf, { statusOf: (one) => (one === leaf ? "revoked" : "good") }), "revoked");
    const ofUtility = (status: "revoked" | "unknown") => (one: Certificate) =>
      one === tree.utility.certificate ? status : ("good" as const);
    assert.equal(problem(leaf, { statusOf: ofUtility("revoked") }), "revoked");
    assert.equal(problem(leaf, { statusOf: ofUtility("unknown") }), "revocation-unknown");
  });

  test("a signature that does not hold is refused: the certificate changed, or another signed it", () => {
    const leaf = device();
    const signed = leaf.toBeSigned.slice();
    // The last octet of the subject's system title.
    const at = Buffer.from(signed).indexOf("4D4B303000000001") + 15;
    signed[at] = 0x32;
    const changed = decodeCertificate(encodeCertificate(signed, leaf));
    assert.equal(problem(changed), "signature-invalid");
  });

  test("certificates that name each other do not lead round and round", () => {
    const [first, second] = [makeRoot("A"), makeRoot("B")];
    const crossed = makeAuthority(first, "scheme", "B");
    const back = makeAuthority(second, "scheme", "A");
    const intermediates = [crossed.certificate, back.certificate, first.certificate, second.certificate];
    const leaf = issueDevice(makeAuthority(crossed, "issuing-p256"), "dlms-suite-1-signature");
    assert.equal(problem(leaf, { anchors: [], intermediates }), "no-path");
  });
});

function withoutPathLength(certificate: Certificate): Certificate {
  const value = Uint8Array.of(0x30, 0x03, 0x01, 0x01, 0xff);
  const extensions = certificate.extensions.map((one) => (one.id === "2.5.29.19" ? { ...one, value } : one));
  return { ...certificate, extensions };
}
