import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import "reflect-metadata";
import { encode } from "@meterkeep/dlms";
import { X509Certificate as PeculiarCertificate } from "@peculiar/x509";
import { type Issuer, issueCertificate } from "../authority/issue.ts";
import { lintCertificate } from "../profile/lint.ts";
import type { CertificateProfile } from "../profile/profile.ts";
import { PROFILES } from "../profile/profiles.ts";
import { ANY_POLICY, BEGIN, freshKey, makeTree, SYSTEM_TITLE } from "../testing/test-tree.ts";
import { type Certificate, decodeCertificate, encodeCertificate, type ToBeSigned, toBeSigned } from "./certificate.ts";
import { EXTENSIONS, type Extension, makeExtension } from "./extensions.ts";
import { OID } from "./identifiers.ts";
import { textAttribute } from "./name.ts";
import { validatePath } from "./path.ts";
import { toPem } from "./pem.ts";

/** Every profile's certificate has begun, and none has ended. */
const NOW = new Date("2026-01-10T00:00:00Z");
const SECONDS = String(NOW.getTime() / 1000);

type Change = (good: ToBeSigned) => Partial<ToBeSigned>;

const without = (one: ToBeSigned, id: string): readonly Extension[] => one.extensions.filter((ext) => ext.id !== id);
const replaced = (one: ToBeSigned, extension: Extension) => ({
  extensions: [...without(one, extension.id), extension],
});
const has = (one: ToBeSigned, id: string): boolean => one.extensions.some((ext) => ext.id === id);

/** Fields that can be wrong in a certificate of any profile, signed by its issuer all the same; `isForAll` where OpenSSL refuses them too. */
const WRONG: Readonly<Record<string, { readonly change: Change; readonly isForAll?: true }>> = {
  "the issuer is named otherwise": {
    change: () => ({ issuer: [textAttribute(OID.commonName, "Somebody")] }),
    isForAll: true,
  },
  "it begins later": {
    change: ({ validity }) => ({ validity: { ...validity, notBefore: new Date("2026-01-20T00:00:00Z") } }),
    isForAll: true,
  },
  "it has ended": {
    change: ({ validity }) => ({ validity: { ...validity, notAfter: new Date("2026-01-05T00:00:00Z") } }),
    isForAll: true,
  },
  "the signature algorithm is of the other curve": {
    change: ({ signatureAlgorithm }) => ({
      signatureAlgorithm: signatureAlgorithm === "ecdsa-with-SHA256" ? "ecdsa-with-SHA384" : "ecdsa-with-SHA256",
    }),
    isForAll: true,
  },
  "the issuer's key is identified otherwise": {
    change: (one) =>
      replaced(one, makeExtension(EXTENSIONS.authorityKeyIdentifier, false, { keyIdentifier: new Uint8Array(20) })),
    isForAll: true,
  },
  "an extension is critical that nobody knows": {
    change: (one) => ({
      extensions: [...one.extensions, { id: "1.2.3.4", critical: true, value: Uint8Array.of(5, 0) }],
    }),
    isForAll: true,
  },
  "an extension stands there twice": {
    change: (one) => ({ extensions: [...one.extensions, one.extensions[0]!] }),
    isForAll: true,
  },
  "the key is on the other curve": {
    change: ({ publicKey: { curve } }) => ({ publicKey: freshKey(curve === "P-256" ? "P-384" : "P-256").publicKey }),
  },
  "it lasts longer, or ends": {
    change: ({ validity }) => ({ validity: { ...validity, notAfter: new Date("2099-01-01T00:00:00Z") } }),
  },
  "the subject is another kind of name": {
    change: ({ subject }) => ({ subject: subject.length === 0 ? [textAttribute(OID.commonName, "Somebody")] : [] }),
  },
  "keyUsage is missing": { change: (one) => ({ extensions: without(one, OID.keyUsage) }) },
  "keyUsage is not critical": {
    change: (one) => ({
      extensions: one.extensions.map((ext) => (ext.id === OID.keyUsage ? { ...ext, critical: false } : ext)),
    }),
  },
  "keyUsage is for something else": {
    change: (one) => replaced(one, makeExtension(EXTENSIONS.keyUsage, true, ["dataEncipherment"])),
  },
  "basicConstraints make an authority of it, or take that from it": {
    change: (one) =>
      has(one, OID.basicConstraints)
        ? { extensions: without(one, OID.basicConstraints) }
        : replaced(one, makeExtension(EXTENSIONS.basicConstraints, true, { isAuthority: true })),
  },
  "extendedKeyUsage is another": {
    change: (one) => replaced(one, makeExtension(EXTENSIONS.extendedKeyUsage, false, ["1.3.6.1.5.5.7.3.4"])),
  },
  "its own key is identified otherwise": {
    change: (one) => replaced(one, makeExtension(EXTENSIONS.subjectKeyIdentifier, false, new Uint8Array(20))),
  },
  "its own key is not identified": { change: (one) => ({ extensions: without(one, OID.subjectKeyIdentifier) }) },
  "it names a mailbox": {
    change: (one) =>
      replaced(one, makeExtension(EXTENSIONS.subjectAltName, false, [{ kind: "rfc822Name", value: "a@b.example" }])),
  },
  "its policies are missing, or are there": {
    change: (one) =>
      has(one, OID.certificatePolicies)
        ? { extensions: without(one, OID.certificatePolicies) }
        : replaced(one, makeExtension(EXTENSIONS.certificatePolicies, true, [{ id: ANY_POLICY }])),
  },
};

describe("every profile", () => {
  const tree = makeTree();
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-profiles-"));
  after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, ...all: readonly Certificate[]): void =>
    writeFileSync(join(folder, name), all.map(({ octets }) => toPem("CERTIFICATE", octets)).join(""));
  const between = [tree.scheme, tree.utility, tree.issuing, tree.issuing384].map((one) => one.certificate);
  write("root.pem", tree.root.certificate);
  write("between.pem", ...between);

  const issuerOf = ({ name, curve }: CertificateProfile): Issuer => {
    if (name === "scheme") return tree.root;
    if (name === "utility") return tree.scheme;
    if (name.startsWith("issuing-")) return tree.utility;
    return curve === "P-384" ? tree.issuing384 : tree.issuing;
  };
  const certificateOf = (profile: CertificateProfile): Certificate =>
    issueCertificate(issuerOf(profile), {
      profile,
      subject:
        profile.subject.kind === "named"
          ? { names: { CN: profile.name, OU: "02" }, ...(profile.name.startsWith("gbcs") && { entity: SYSTEM_TITLE }) }
          : { systemTitle: SYSTEM_TITLE },
      publicKey: freshKey(profile.curve).publicKey,
      serial: randomBytes(16).fill(0x11, 0, 1),
      notBefore: BEGIN,
      hwType: "1.2.826.0.1.8641679.1.2.1.1",
      hosts: profile.altName.kind === "hosts" ? [{ kind: "dNSName", value: "end.example" }] : [],
      policies: [ANY_POLICY],
    });
  const isTrusted = (certificate: Certificate, { keyUsage }: CertificateProfile): boolean =>
    validatePath(certificate, {
      anchors: [tree.root.certificate],
      intermediates: between,
      at: NOW,
      usage: keyUsage[0]!,
    }).isTrusted;
  /** Of these, by name, those that OpenSSL takes. */
  const takenByOpenssl = (all: ReadonlyMap<string, Certificate>): readonly string[] => {
    const names = [...all.keys()];
    for (const [at, name] of names.entries()) write(`${at}.pem`, all.get(name)!);
    const trust = ["-x509_strict", "-attime", SECONDS, "-CAfile", "root.pem", "-untrusted", "between.pem"];
    const files = names.map((_, at) => `${at}.pem`);
    const { stdout } = spawnSync("openssl", ["verify", ...trust, ...files], { cwd: folder, encoding: "utf8" });
    return names.filter((_, at) => stdout.split("\n").includes(`${at}.pem: OK`));
  };
  const peculiar = (certificate: Certificate, issuer: Issuer): Promise<boolean> =>
    new PeculiarCertificate(Uint8Array.from(certificate.octets)).verify({
      publicKey: new PeculiarCertificate(Uint8Array.from(issuer.certificate.octets)),
      date: NOW,
    });
  const resigned = (good: Certificate, change: Partial<ToBeSigned>, { signer }: Issuer): Certificate => {
    const { octets: _, toBeSigned: __, signature: ___, ...fields } = good;
    const content = { ...fields, ...change };
    const octets = encode(toBeSigned, content);
    const { signatureAlgorithm } = content;
    return decodeCertificate(encodeCertificate(octets, { signatureAlgorithm, signature: signer.sign(octets) }));
  };

  for (const profile of PROFILES.values()) {
    if (profile.name === "root") continue;
    test(`${profile.name}: taken by us, OpenSSL, node:crypto and @peculiar/x509, and refused with any one field wrong`, async () => {
      const issuer = issuerOf(profile);
      const good = certificateOf(profile);
      assert.deepEqual(lintCertificate(good, profile), []);
      assert.ok(isTrusted(good, profile));
      assert.ok(new X509Certificate(good.octets).verify(new X509Certificate(issuer.certificate.octets).publicKey));
      assert.ok(await peculiar(good, issuer));
      const wrong = new Map<string, Certificate>();
      for (const [name, { change }] of Object.entries(WRONG)) wrong.set(name, resigned(good, change(good), issuer));
      for (const [name, one] of wrong)
        assert.ok(lintCertificate(one, profile).length > 0 || !isTrusted(one, profile), `${name}: nobody refuses it`);
      const spoilt = good.octets.slice();
      spoilt[spoilt.length - 1]! ^= 1;
      const unsigned = decodeCertificate(spoilt);
      assert.equal(isTrusted(unsigned, profile), false);
      assert.equal(await peculiar(unsigned, issuer).catch(() => false), false);
      for (const name of ["it begins later", "it has ended", "the signature algorithm is of the other curve"])
        assert.equal(await peculiar(wrong.get(name)!, issuer).catch(() => false), false, name);
      const taken = takenByOpenssl(new Map([["good", good], ["unsigned", unsigned], ...wrong]));
      assert.ok(taken.includes("good"));
      assert.ok(!taken.includes("unsigned"));
      for (const [name, { isForAll }] of Object.entries(WRONG))
        if (isForAll) assert.ok(!taken.includes(name), `OpenSSL takes it: ${name}`);
    });
  }

  test("root: what it says of itself is linted field by field", () => {
    const profile = PROFILES.get("root")!;
    const { root } = tree;
    assert.deepEqual(lintCertificate(root.certificate, profile), []);
    const ofChains = /issuer|begins|algorithm|has ended|policies/;
    for (const [name, { change }] of Object.entries(WRONG))
      if (!ofChains.test(name)) {
        const one = resigned(root.certificate, change(root.certificate), root);
        assert.ok(lintCertificate(one, profile).length > 0, `${name}: nobody refuses it`);
      }
  });
});
