import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { encode } from "@meterkeep/dlms";
import { lintCertificate } from "../profile/lint.ts";
import { freshKey, issueDevice, makeTree, profileNamed } from "../testing/test-tree.ts";
import { type Certificate, decodeCertificate, encodeCertificate, type ToBeSigned, toBeSigned } from "./certificate.ts";
import { EXTENSIONS, type Extension, makeExtension } from "./extensions.ts";
import { OID } from "./identifiers.ts";
import { textAttribute } from "./name.ts";
import { validatePath } from "./path.ts";
import { toPem } from "./pem.ts";

const NOW = new Date("2027-01-01T00:00:00Z");

interface Wrong {
  readonly name: string;
  readonly change: (good: ToBeSigned) => Partial<ToBeSigned>;
  /** Who finds it: our linter, our paths, or both. */
  readonly by: readonly ("linter" | "path")[];
  /** Whether OpenSSL's strict check refuses it as well; it knows nothing of meters. */
  readonly openssl: boolean;
}

const without = (good: ToBeSigned, id: string): readonly Extension[] => good.extensions.filter((one) => one.id !== id);
const swapped = (good: ToBeSigned, extension: Extension): readonly Extension[] =>
  good.extensions.map((one) => (one.id === extension.id ? extension : one));

// One field of a meter's certificate is wrong, and its issuer has signed it: what is refused, and by whom.
describe("one field wrong", () => {
  const tree = makeTree();
  const profile = profileNamed("dlms-suite-1-signature");
  const good = issueDevice(tree.issuing, profile.name);
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-fields-"));
  const write = (name: string, ...all: readonly Certificate[]): void =>
    writeFileSync(join(folder, name), all.map(({ octets }) => toPem("CERTIFICATE", octets)).join(""));
  write("root.pem", tree.root.certificate);
  write("between.pem", tree.scheme.certificate, tree.utility.certificate, tree.issuing.certificate);
  after(() => rmSync(folder, { recursive: true }));

  const resigned = (change: Partial<ToBeSigned>): Certificate => {
    const { version, serial, signatureAlgorithm, issuer, validity, subject, publicKey, extensions } = good;
    const fields = { version, serial, signatureAlgorithm, issuer, validity, subject, publicKey, extensions, ...change };
    const octets = encode(toBeSigned, fields);
    const signature = tree.issuing.signer.sign(octets);
    return decodeCertificate(encodeCertificate(octets, { signatureAlgorithm: fields.signatureAlgorithm, signature }));
  };
  const openssl = (certificate: Certificate): string => {
    write("leaf.pem", certificate);
    const args = [
      "verify",
      "-x509_strict",
      "-attime",
      "1798761600",
      "-CAfile",
      "root.pem",
      "-untrusted",
      "between.pem",
    ];
    const { stdout, stderr } = spawnSync("openssl", [...args, "leaf.pem"], { cwd: folder, encoding: "utf8" });
    return stdout + stderr;
  };
  const path = (certificate: Certificate) =>
    validatePath(certificate, {
      anchors: [tree.root.certificate],
      intermediates: [tree.scheme, tree.utility, tree.issuing].map((one) => one.certificate),
      at: NOW,
      usage: "digitalSignature",
    });

  const CASES: readonly Wrong[] = [
    {
      name: "the subject is no system title",
      change: () => ({ subject: [textAttribute(OID.commonName, "Meter 7")] }),
      by: ["linter"],
      openssl: false,
    },
    {
      name: "the system title is in lower case",
      change: () => ({ subject: [textAttribute(OID.commonName, "4d4b303000000001")] }),
      by: ["linter"],
      openssl: false,
    },
    { name: "the subject is empty", change: () => ({ subject: [] }), by: ["linter"], openssl: true },
    {
      name: "it ends",
      change: ({ validity }) => ({ validity: { ...validity, notAfter: new Date("2049-01-01T00:00:00Z") } }),
      by: ["linter"],
      openssl: false,
    },
    {
      name: "it begins later",
      change: ({ validity }) => ({ validity: { ...validity, notBefore: new Date("2040-01-01T00:00:00Z") } }),
      by: ["path"],
      openssl: true,
    },
    {
      name: "the issuer is named otherwise",
      change: () => ({ issuer: [textAttribute(OID.commonName, "issuing-p257")] }),
      by: ["path"],
      openssl: true,
    },
    {
      name: "the key is on the curve above its issuer's",
      change: () => ({ publicKey: freshKey("P-384").publicKey }),
      by: ["linter", "path"],
      openssl: false,
    },
    {
      name: "the signature algorithm is of the other curve",
      change: () => ({ signatureAlgorithm: "ecdsa-with-SHA384" as const }),
      by: ["path"],
      openssl: true,
    },
    {
      name: "keyUsage is missing",
      change: (one) => ({ extensions: without(one, OID.keyUsage) }),
      by: ["linter", "path"],
      openssl: false,
    },
    {
      name: "keyUsage is not critical",
      change: (one) => ({ extensions: swapped(one, makeExtension(EXTENSIONS.keyUsage, false, ["digitalSignature"])) }),
      by: ["linter"],
      openssl: false,
    },
    {
      name: "keyUsage allows key agreement",
      change: (one) => ({ extensions: swapped(one, makeExtension(EXTENSIONS.keyUsage, true, ["keyAgreement"])) }),
      by: ["linter", "path"],
      openssl: false,
    },
    {
      name: "keyUsage lets a meter sign certificates",
      change: (one) => ({
        extensions: swapped(one, makeExtension(EXTENSIONS.keyUsage, true, ["digitalSignature", "keyCertSign"])),
      }),
      by: ["linter"],
      openssl: true,
    },
    {
      name: "basicConstraints make an authority of a meter",
      change: (one) => ({
        extensions: [...one.extensions, makeExtension(EXTENSIONS.basicConstraints, true, { isAuthority: true })],
      }),
      by: ["linter"],
      openssl: false,
    },
    {
      name: "extendedKeyUsage stands where it is forbidden",
      change: (one) => ({
        extensions: [...one.extensions, makeExtension(EXTENSIONS.extendedKeyUsage, false, [OID.clientAuth])],
      }),
      by: ["linter"],
      openssl: false,
    },
    {
      name: "the issuer's key is identified otherwise",
      change: (one) => ({
        extensions: swapped(
          one,
          makeExtension(EXTENSIONS.authorityKeyIdentifier, false, { keyIdentifier: new Uint8Array(20) }),
        ),
      }),
      by: ["path"],
      openssl: true,
    },
    {
      name: "its own key is identified otherwise",
      change: (one) => ({
        extensions: swapped(one, makeExtension(EXTENSIONS.subjectKeyIdentifier, false, new Uint8Array(20))),
      }),
      by: ["linter"],
      openssl: false,
    },
    {
      name: "its own key is not identified",
      change: (one) => ({ extensions: without(one, OID.subjectKeyIdentifier) }),
      by: ["linter"],
      openssl: false,
    },
    {
      name: "an extension is critical that nobody knows",
      change: (one) => ({
        extensions: [...one.extensions, { id: "1.2.3.4", critical: true, value: Uint8Array.of(5, 0) }],
      }),
      by: ["linter", "path"],
      openssl: true,
    },
    {
      name: "an extension stands there twice",
      change: (one) => ({ extensions: [...one.extensions, one.extensions[0]!] }),
      by: ["linter", "path"],
      openssl: true,
    },
    {
      name: "a list is named where meters name none",
      change: (one) => ({
        extensions: [
          ...one.extensions,
          makeExtension(EXTENSIONS.crlDistributionPoints, false, [
            { name: { fullName: [{ kind: "uniformResourceIdentifier", value: "http://x/1.crl" }] } },
          ]),
        ],
      }),
      by: ["linter"],
      openssl: false,
    },
  ];

  test("nothing wrong: all three take it", () => {
    assert.deepEqual(lintCertificate(good, profile), []);
    assert.ok(path(good).isTrusted);
    assert.match(openssl(good), /OK/);
  });

  for (const { name, change, by, openssl: alsoOpenssl } of CASES)
    test(`${name}: refused${alsoOpenssl ? ", by OpenSSL too" : ""}`, () => {
      const certificate = resigned(change(good));
      const found = [
        ...(lintCertificate(certificate, profile).length > 0 ? ["linter"] : []),
        ...(path(certificate).isTrusted ? [] : ["path"]),
      ];
      assert.deepEqual(found, by);
      assert.equal(/: OK\n/.test(openssl(certificate)), !alsoOpenssl, openssl(certificate));
    });
});
