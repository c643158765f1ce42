import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fromHex, toHex } from "@meterkeep/dlms";
import { decodeCertificate } from "./certificate.ts";
import { deviceOf } from "./device.ts";
import { EXTENSIONS, extensionValue } from "./extensions.ts";
import { validatePath } from "./path.ts";
import { fromPem } from "./pem.ts";
import { isSignedBy } from "./signature.ts";

// Certificates that another implementation made (Python's cryptography, for exchanges between meters and clients of Gurux):
// two authorities, and pairs of both ends on both curves. They lie beside the repository and are no part of it.

const given = process.env["METERKEEP_SHARED"];
const FOLDER =
  given === undefined
    ? new URL("../../../../../shared/", import.meta.url)
    : pathToFileURL(`${given.replace(/\/$/, "")}/`);
const pathOf = (file: string): string => fileURLToPath(new URL(file, FOLDER));
const VECTORS = pathOf("vectors/gurux-java-general-protection.json");
const TRACE = pathOf("traces/gxj-gxj-hls7-ecdsa-suite1-securitysetup.json");
const skip = existsSync(VECTORS) && existsSync(TRACE) ? false : "the interoperability set is not here";

interface Made {
  readonly public?: string;
  readonly certificatePem: string;
}

const USAGES = { signing: "digitalSignature", agreement: "keyAgreement" } as const;

test("certificates of another maker's PKI read, and are signed by their own authority, which does not say that it may", {
  skip,
}, () => {
  const { keysMadeHere: made } = JSON.parse(readFileSync(VECTORS, "utf8")) as {
    readonly keysMadeHere: Readonly<Record<string, Made>>;
  };
  const read = (name: string) => decodeCertificate(fromPem("CERTIFICATE", made[name]!.certificatePem)[0]!);
  const authorities = new Map(["P-256", "P-384"].map((curve) => [curve, read(`${curve}/ca`)]));
  let seen = 0;
  for (const [name, { public: point }] of Object.entries(made)) {
    const [curve, , use] = name.split("/") as [string, string, keyof typeof USAGES | undefined];
    if (use === undefined) continue;
    const certificate = read(name);
    assert.equal(`04${toHex(certificate.publicKey.point)}`.slice(-point!.length), point, name);
    assert.deepEqual(extensionValue(EXTENSIONS.keyUsage, certificate.extensions), [USAGES[use]], name);
    assert.equal(deviceOf(certificate)?.length, 8, name);
    const { signatureAlgorithm, toBeSigned, signature } = certificate;
    for (const [other, { publicKey }] of authorities) {
      assert.equal(
        isSignedBy(publicKey, signatureAlgorithm, toBeSigned, signature),
        other === curve,
        `${name} by ${other}`,
      );
      const changed = toBeSigned.with(20, toBeSigned[20]! ^ 1);
      assert.equal(isSignedBy(publicKey, signatureAlgorithm, changed, signature), false, `${name}, changed`);
    }
    // An authority's certificate without keyUsage signs for nobody who goes by RFC 5280 clause 4.2.1.3, though OpenSSL takes it.
    const at = new Date(certificate.validity.notBefore.getTime() + 86_400_000);
    const anchors = [...authorities.values()];
    const verdict = validatePath(certificate, { at, usage: USAGES[use], anchors, intermediates: [] });
    assert.equal(verdict.isTrusted === false && verdict.problem, "usage-not-allowed", name);
    seen += 1;
  }
  assert.equal(seen, 8);
});

test("a certificate that a recorded meter gave away by export_certificate reads back to the octet", { skip }, () => {
  const { decoded } = JSON.parse(readFileSync(TRACE, "utf8")) as {
    readonly decoded: readonly { readonly value?: { readonly octets?: string } | null }[];
  };
  const [octets] = decoded.flatMap(({ value }) => value?.octets ?? []).filter((one) => one.startsWith("3082"));
  const certificate = decodeCertificate(fromHex(octets!));
  assert.equal(toHex(certificate.octets), octets);
  assert.equal(toHex(deviceOf(certificate)!), "4752580000000001");
});
