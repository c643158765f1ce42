import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import "reflect-metadata";
import { X509Certificate as PeculiarCertificate, X509ChainBuilder } from "@peculiar/x509";
import { lintCertificate } from "../profile/lint.ts";
import { issueDevice, makeTree, profileNamed } from "../testing/test-tree.ts";
import { wrongFields } from "../testing/wrong-fields.ts";
import type { Certificate } from "./certificate.ts";
import { validatePath } from "./path.ts";
import { toPem } from "./pem.ts";

const NOW = new Date("2027-01-01T00:00:00Z");

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

  /** A chain to the root whose signatures and dates hold, as `@peculiar/x509` builds it. */
  const peculiar = async (certificate: Certificate): Promise<boolean> => {
    const read = ({ octets }: Certificate) => new PeculiarCertificate(Uint8Array.from(octets));
    const above = [tree.issuing, tree.utility, tree.scheme, tree.root].map((one) => read(one.certificate));
    const leaf = read(certificate);
    const chain = await new X509ChainBuilder({ certificates: above }).build(leaf);
    const issuer = chain[1];
    return (
      chain.length === 5 &&
      issuer !== undefined &&
      (await leaf.verify({ publicKey: issuer.publicKey, date: NOW })) &&
      chain.at(-1)?.equal(above.at(-1) as PeculiarCertificate) === true
    );
  };

  test("nothing wrong: all of them take it", async () => {
    assert.deepEqual(lintCertificate(good, profile), []);
    assert.ok(path(good).isTrusted);
    assert.match(openssl(good), /OK/);
    assert.ok(await peculiar(good));
  });

  for (const { name, certificate, by, ...others } of wrongFields(good, tree.issuing.signer))
    test(`${name}: refused${others.openssl ? ", by OpenSSL too" : ""}${others.peculiar ? ", and by @peculiar/x509" : ""}`, async () => {
      const found = [
        ...(lintCertificate(certificate, profile).length > 0 ? ["linter"] : []),
        ...(path(certificate).isTrusted ? [] : ["path"]),
      ];
      assert.deepEqual(found, by);
      assert.equal(/: OK\n/.test(openssl(certificate)), !others.openssl, openssl(certificate));
      assert.equal(await peculiar(certificate).catch(() => false), !others.peculiar);
    });
});
