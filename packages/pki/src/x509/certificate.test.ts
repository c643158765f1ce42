import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { DecodeError, DlmsError, decode, encode, fromHex } from "@meterkeep/dlms";
import "reflect-metadata";
import { X509Certificate as PeculiarCertificate } from "@peculiar/x509";
import fc from "fast-check";
import { issueCertificate } from "../authority/issue.ts";
import { PkiError } from "../errors.ts";
import { lintCertificate } from "../profile/lint.ts";
import { PROFILES } from "../profile/profiles.ts";
import {
  ANY_POLICY,
  BEGIN,
  freshKey,
  issueDevice,
  makeTree,
  profileNamed,
  SYSTEM_TITLE,
} from "../testing/test-tree.ts";
import { decodeCertificate, toBeSigned } from "./certificate.ts";
import { deviceOf } from "./device.ts";
import { EXTENSIONS, extensionValue, hardwareModuleOf } from "./extensions.ts";
import { nameText } from "./name.ts";
import { validatePath } from "./path.ts";
import { toPem } from "./pem.ts";
import { publicKey } from "./public-key.ts";
import { makeRequest, openRequest } from "./request.ts";
import { isSignedBy } from "./signature.ts";

const DEVICES = [...PROFILES.values()].filter(({ subject, authority }) => !authority && subject.kind !== "named");

/** A P-256 key with its curve given by parameters instead of its name, as `openssl -param_enc explicit` writes it. */
const EXPLICIT_PARAMETERS = fromHex(
  "308201333081ec06072a8648ce3d02013081e0020101302c06072a8648ce3d0101022100ffffffff00000001000000000000000000000000ffffffffffffffffffffffff30440420ffffffff00000001000000000000000000000000fffffffffffffffffffffffc04205ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b044104" +
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63255102010103420004" +
    "00".repeat(64),
);

describe("certificates", () => {
  const tree = makeTree();
  const issuerFor = (profile: string) => (profileNamed(profile).curve === "P-384" ? tree.issuing384 : tree.issuing);
  const directory = mkdtempSync(join(tmpdir(), "mk-x509-"));
  after(() => rmSync(directory, { recursive: true }));

  for (const { name } of DEVICES)
    test(`a certificate of ${name} is accepted by OpenSSL, node:crypto and @peculiar/x509`, async () => {
      const issuer = issuerFor(name);
      const { octets } = issueDevice(issuer, name);
      const file = (title: string, all: readonly Uint8Array[]): string => {
        const path = join(directory, `${title}.pem`);
        writeFileSync(path, all.map((one) => toPem("CERTIFICATE", one)).join(""));
        return path;
      };
      const root = file("root", [tree.root.certificate.octets]);
      const between = file(
        "between",
        [tree.scheme, tree.utility, issuer].map(({ certificate }) => certificate.octets),
      );
      const verified = execFileSync("openssl", [
        "verify",
        "-x509_strict",
        "-CAfile",
        root,
        "-untrusted",
        between,
        file("device", [octets]),
      ]);
      assert.match(String(verified), /: OK$/m);
      const byNode = new X509Certificate(octets);
      assert.ok(byNode.verify(new X509Certificate(issuer.certificate.octets).publicKey));
      const peculiar = new PeculiarCertificate(octets);
      assert.ok(
        await peculiar.verify({ publicKey: new PeculiarCertificate(issuer.certificate.octets), signatureOnly: true }),
      );
    });

  test("what was issued reads back: subject, device, usage, no end", () => {
    const certificate = issueDevice(tree.issuing, "dlms-suite-1-signature");
    assert.equal(nameText(certificate.subject), "CN=4D4B303000000001");
    assert.equal(certificate.validity.notAfter.toISOString(), "9999-12-31T23:59:59.000Z");
    assert.deepEqual(extensionValue(EXTENSIONS.keyUsage, certificate.extensions), ["digitalSignature"]);
    const nameless = issueDevice(tree.issuing, "gbcs-device-key-agreement");
    assert.equal(nameText(nameless.subject), "(empty)");
    const names = extensionValue(EXTENSIONS.subjectAltName, nameless.extensions)!;
    assert.deepEqual(hardwareModuleOf(names)?.hwSerialNum, Uint8Array.of(0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 1));
    assert.equal(extensionValue(EXTENSIONS.subjectKeyIdentifier, nameless.extensions)?.length, 8);
  });

  test("encoding what was decoded gives the same octets", () => {
    for (const { name } of DEVICES) {
      const certificate = issueDevice(issuerFor(name), name);
      assert.deepEqual(encode(toBeSigned, decode(toBeSigned, certificate.toBeSigned)), certificate.toBeSigned);
    }
  });

  test("a P-256 key may stand under P-384, and never the other way round", () => {
    assert.equal(issueDevice(tree.issuing384, "dlms-suite-1-signature").signatureAlgorithm, "ecdsa-with-SHA384");
    assert.throws(() => issueDevice(tree.issuing, "dlms-suite-2-signature"), code("issuer-unfit"));
  });

  test("curves given by explicit parameters, compressed points and other curves are refused", () => {
    assert.throws(() => decode(publicKey, EXPLICIT_PARAMETERS), DecodeError);
    const compressed = `3039301306072a8648ce3d020106082a8648ce3d03010703220002${"11".repeat(32)}`;
    assert.throws(() => decode(publicKey, fromHex(compressed)), /uncompressed/);
    const k256 = `3056301006072a8648ce3d020106052b8104000a03420004${"11".repeat(64)}`;
    assert.throws(() => decode(publicKey, fromHex(k256)), /neither P-256 nor P-384/);
  });

  test("a whole certificate and a whole request whose key has explicit parameters are refused, though OpenSSL takes them", () => {
    const run = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
    const curve = ["ecparam", "-name", "prime256v1", "-param_enc"] as const;
    for (const encoding of ["named_curve", "explicit"]) {
      run(...curve, encoding, "-genkey", "-noout", "-out", `${encoding}.key`);
      const subject = ["-key", `${encoding}.key`, "-subj", "/CN=4D4B303000000001", "-outform", "DER"];
      run("req", "-new", ...subject, "-out", `${encoding}.csr`);
      run("req", "-new", "-x509", ...subject, "-out", `${encoding}.der`);
    }
    const octets = (file: string) => new Uint8Array(readFileSync(join(directory, file)));
    openRequest(octets("named_curve.csr"));
    assert.throws(() => openRequest(octets("explicit.csr")), DecodeError);
    assert.throws(() => decodeCertificate(octets("explicit.der")), DecodeError);
  });

  test("every kind of end entity stands in one tree, and each is for what it is for and nothing else", () => {
    const hosts = [{ kind: "dNSName", value: "end.example" }] as const;
    const intermediates = [tree.scheme, tree.utility, tree.issuing, tree.issuing384].map((one) => one.certificate);
    const options = { anchors: [tree.root.certificate], intermediates, at: new Date("2026-01-10T00:00:00Z") } as const;
    let devices = 0;
    for (const profile of PROFILES.values()) {
      if (profile.authority !== false) continue;
      const issuer = issuerFor(profile.name);
      const { publicKey } = freshKey(profile.curve);
      const subject =
        profile.subject.kind === "named"
          ? { names: { CN: profile.name, OU: "02" }, ...(profile.name.startsWith("gbcs") && { entity: SYSTEM_TITLE }) }
          : { systemTitle: SYSTEM_TITLE };
      const certificate = issueCertificate(issuer, {
        profile,
        subject,
        publicKey,
        serial: randomBytes(16),
        notBefore: BEGIN,
        hwType: "1.2.826.0.1.8641679.1.2.1.1",
        hosts: profile.altName.kind === "hosts" ? hosts : [],
        policies: [ANY_POLICY],
      });
      for (const usage of ["digitalSignature", "keyAgreement", "keyCertSign"] as const) {
        const verdict = validatePath(certificate, { ...options, usage });
        assert.equal(verdict.isTrusted, profile.keyUsage.includes(usage), `${profile.name} for ${usage}`);
        if (verdict.isTrusted) assert.equal(verdict.path.length, 5);
      }
      const title = deviceOf(certificate);
      assert.equal(title !== undefined, profile.subject.kind !== "named", profile.name);
      if (title !== undefined) devices += 1;
    }
    assert.ok(devices > 10);
  });

  test("an end entity issues nothing, and an authority no other below its depth", () => {
    const signer = freshKey("P-256");
    const certificate = issueDevice(tree.issuing, "dlms-suite-1-signature", { publicKey: signer.publicKey });
    assert.throws(() => issueDevice({ certificate, signer }, "dlms-suite-1-signature"), code("issuer-unfit"));
    const order = {
      profile: profileNamed("issuing-p256"),
      subject: { names: { CN: "deeper" } },
      publicKey: signer.publicKey,
      policies: [ANY_POLICY],
    };
    assert.throws(() => issueDevice(tree.issuing, "issuing-p256", order), code("issuer-unfit"));
  });

  test("a profile without its own data is refused before anything is signed", () => {
    const signs = { ...tree.issuing, signer: { ...tree.issuing.signer, sign: () => assert.fail("was asked to sign") } };
    const refused = code("profile-violated");
    assert.throws(() => issueDevice(signs, "dlms-suite-1-signature", { notAfter: new Date("2030-01-01") }), refused);
    assert.throws(() => issueDevice(signs, "dlms-suite-1-signature", { serial: Uint8Array.of(0) }), refused);
    assert.throws(() => issueDevice(signs, "dlms-suite-1-tls", { policies: [] }), refused);
    assert.throws(() => issueDevice(signs, "tls-server", { subject: { names: { CN: "x" } }, hosts: [] }), refused);
    assert.throws(() => issueDevice(signs, "tls-server"), refused);
  });

  test("names that somebody else reads as other names are refused before anything is signed", () => {
    const signs = { ...tree.issuing, signer: { ...tree.issuing.signer, sign: () => assert.fail("was asked to sign") } };
    const refused = code("profile-violated");
    const title = "4D4B303000000001";
    for (const CN of [
      `${title}\0`,
      `${title} `,
      "４D4B303000000001",
      "anna\0.example",
      "an\u200bna",
      "anna\u202e",
      "a\nb",
      "a".repeat(65),
    ])
      assert.throws(
        () => issueDevice(signs, "technician", { subject: { names: { CN } } }),
        refused,
        JSON.stringify(CN),
      );
    for (const more of [{ O: "x".repeat(65) }, { OU: "\0" }, { serialNumber: "ü" }])
      assert.throws(
        () => issueDevice(signs, "technician", { subject: { names: { CN: "a", ...more } } }),
        refused,
        JSON.stringify(more),
      );
    const subject = { names: { CN: "host" } } as const;
    const named = (value: string) => ({ subject, hosts: [{ kind: "dNSName", value }] }) as const;
    for (const host of ["a.example\0.evil", "*.example", "", "a..example", "a b", `${"a".repeat(64)}.example`, "a/b"])
      assert.throws(() => issueDevice(signs, "tls-server", named(host)), refused, JSON.stringify(host));
    for (const hosts of [
      [{ kind: "iPAddress", value: new Uint8Array(5) }],
      [named("a.example").hosts[0], { kind: "uniformResourceIdentifier", value: "https://b.example" }],
    ] as const)
      assert.throws(() => issueDevice(signs, "tls-server", { subject, hosts }), refused);
    assert.ok(issueDevice(tree.issuing, "tls-server", named("under_score-1.a.example")));
  });

  test("each certificate fits its own profile and none of another purpose", () => {
    const certificates = DEVICES.map(({ name }) => ({ name, certificate: issueDevice(issuerFor(name), name) }));
    for (const { name, certificate } of certificates)
      for (const profile of DEVICES) {
        const findings = lintCertificate(certificate, profile);
        assert.equal(
          findings.length === 0,
          profile.name === name,
          `${name} by ${profile.name}: ${findings[0]?.message}`,
        );
      }
  });

  test("octets of a certificate that were changed never read as the same certificate", () => {
    const { octets } = issueDevice(tree.issuing, "gbcs-device-signature");
    fc.assert(
      fc.property(fc.nat(octets.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = octets.slice();
        changed[at]! ^= change;
        try {
          const read = decodeCertificate(changed);
          // What still reads is another certificate, or one whose signature does not hold.
          const { toBeSigned: signed, signature, signatureAlgorithm: algorithm } = read;
          assert.ok(!isSignedBy(tree.issuing.signer.publicKey, algorithm, signed, signature));
        } catch (error) {
          assert.ok(error instanceof DlmsError || error instanceof PkiError, String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("any octets at all are a certificate or a decode error, in time linear in their length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
        assert.throws(() => decodeCertificate(octets), DecodeError);
      }),
    );
    const deep = Uint8Array.from({ length: 100_000 }, (_, at) => (at % 2 === 0 ? 0x30 : 0x80));
    assert.throws(() => decodeCertificate(deep), DecodeError);
  });
});

describe("requests", () => {
  test("a request proves possession of its key, also to OpenSSL", () => {
    for (const curve of ["P-256", "P-384"] as const) {
      const signer = freshKey(curve);
      const octets = makeRequest(signer, []);
      assert.deepEqual(openRequest(octets).publicKey, signer.publicKey);
      const verified = execFileSync("openssl", ["req", "-verify", "-noout"], {
        input: toPem("CERTIFICATE REQUEST", octets),
        stdio: ["pipe", "pipe", "pipe"],
      });
      assert.ok(verified);
    }
  });

  test("a request of OpenSSL is understood", () => {
    const directory = mkdtempSync(join(tmpdir(), "mk-req-"));
    try {
      const key = join(directory, "key.pem");
      execFileSync("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key]);
      const octets = execFileSync("openssl", [
        "req",
        "-new",
        "-key",
        key,
        "-subj",
        "/CN=4D4B303000000001",
        "-outform",
        "DER",
      ]);
      assert.equal(nameText(openRequest(new Uint8Array(octets)).subject), "CN=4D4B303000000001");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("a request for somebody else's key is refused", () => {
    const [own, other] = [freshKey("P-256"), freshKey("P-256")];
    const forged = makeRequest({ publicKey: other.publicKey, sign: own.sign }, []);
    assert.throws(() => openRequest(forged), code("request-refused"));
  });
});

function code(wanted: string): (error: unknown) => boolean {
  return (error) => error instanceof PkiError && error.code === wanted;
}
