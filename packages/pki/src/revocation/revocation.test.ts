import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { DlmsError, toHex } from "@meterkeep/dlms";
import fc from "fast-check";
import { PkiError } from "../errors.ts";
import { BEGIN, issueDevice, makeAuthority, makeTree } from "../testing/test-tree.ts";
import { toPem } from "../x509/pem.ts";
import { applyDelta, issueCrl, openCrl, type Revocation } from "./crl.ts";
import { askedSerial, isResponderOf, issueOcspResponse, makeOcspRequest, ocspError, openOcspResponse } from "./ocsp.ts";

// OpenSSL judges answers by its own clock; certificates know whole seconds.
const AT = new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000);
const NEXT = new Date("2056-11-22T00:00:00Z");
const tree = makeTree();
const { issuing } = tree;
const directory = mkdtempSync(join(tmpdir(), "mk-crl-"));
after(() => rmSync(directory, { recursive: true }));

const write = (name: string, text: string | Uint8Array): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const chain = write(
  "chain.pem",
  [tree.root, tree.scheme, tree.utility, issuing]
    .map(({ certificate }) => toPem("CERTIFICATE", certificate.octets))
    .join(""),
);
const issuerFile = write("issuer.pem", toPem("CERTIFICATE", issuing.certificate.octets));
const openssl = (...args: string[]): string =>
  String(execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] }));
const revoked = (count: number): Revocation[] =>
  Array.from({ length: count }, () => ({ serial: randomBytes(16), revokedAt: AT, reason: "keyCompromise" as const }));
const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;

describe("revocation lists", () => {
  test("a list is read by OpenSSL, with number, reasons and signature", () => {
    const revocations: Revocation[] = [
      ...revoked(3),
      { serial: randomBytes(16), revokedAt: AT, reason: "unspecified" },
    ];
    const octets = issueCrl(issuing, { number: 300n, thisUpdate: AT, nextUpdate: NEXT }, revocations);
    const file = write("list.crl", octets);
    const text = openssl("crl", "-inform", "DER", "-in", file, "-noout", "-text", "-CAfile", chain);
    assert.match(text, /CRL Number:\s+300/);
    for (const { serial } of revocations) assert.ok(text.includes(toHex(serial).replace(/^0+/, "").toUpperCase()));
    assert.equal(text.match(/Key Compromise/g)?.length, 3);
    const read = openCrl(octets, issuing.certificate);
    assert.equal(read.number, 300n);
    assert.deepEqual(
      [...read.revocations].map(({ reason }) => reason),
      revocations.map(({ reason }) => reason),
    );
  });

  test("OpenSSL reads a delta, finds by the full list that there is one, and refuses what only the delta names", () => {
    const shard = "http://lists.example/7.crl";
    const point = { distributionPoints: [shard], subject: { names: { CN: "technician" } } } as const;
    const lost = issueDevice(issuing, "technician", point);
    const times = { thisUpdate: AT, nextUpdate: NEXT, shard } as const;
    const freshest = "http://lists.example/7-delta.crl";
    const full = issueCrl(issuing, { number: 5n, ...times, freshest }, revoked(2));
    const entry = { serial: lost.serial, revokedAt: AT, reason: "keyCompromise" } as const;
    const delta = issueCrl(issuing, { number: 6n, since: 5n, ...times }, [entry]);
    const text = (octets: Uint8Array) =>
      openssl("crl", "-inform", "DER", "-in", write("any.crl", octets), "-noout", "-text", "-CAfile", chain);
    assert.match(text(full), /Freshest CRL:[\s\S]*7-delta\.crl/);
    assert.match(text(delta), /Delta CRL Indicator: critical\s+5/);
    assert.match(text(delta), new RegExp(toHex(lost.serial).replace(/^0+/, ""), "i"));
    const files = [write("full.pem", toPem("X509 CRL", full)), write("delta.pem", toPem("X509 CRL", delta))] as const;
    const leaf = write("technician.pem", toPem("CERTIFICATE", lost.octets));
    const at = String(Math.floor(BEGIN.getTime() / 1000) + 86_400);
    const verdict = (...lists: readonly string[]) => {
      const crls = lists.flatMap((list) => ["-CRLfile", list]);
      const args = ["verify", "-x509_strict", "-attime", at, "-extended_crl", "-use_deltas", "-crl_check", ...crls];
      const { stdout, stderr } = spawnSync("openssl", [...args, "-CAfile", chain, leaf], { encoding: "utf8" });
      return stdout + stderr;
    };
    // The certificate began with the year, and lists are judged by the same moment.
    const early = { thisUpdate: BEGIN, nextUpdate: NEXT, shard } as const;
    writeFileSync(files[0], toPem("X509 CRL", issueCrl(issuing, { number: 5n, ...early, freshest }, [])));
    writeFileSync(files[1], toPem("X509 CRL", issueCrl(issuing, { number: 6n, since: 5n, ...early }, [entry])));
    assert.match(verdict(files[0]), /: OK/);
    assert.match(verdict(...files), /certificate revoked/);
  });

  test("OpenSSL refuses a meter's certificate that is on the list, and takes one that is not", () => {
    const [lost, kept] = [
      issueDevice(issuing, "dlms-suite-1-signature"),
      issueDevice(issuing, "dlms-suite-1-signature"),
    ];
    const list = issueCrl(issuing, { number: 1n, thisUpdate: AT, nextUpdate: NEXT }, [
      { serial: lost.serial, revokedAt: AT, reason: "keyCompromise" },
    ]);
    const crl = write("one.pem", toPem("X509 CRL", list));
    const verify = (certificate: Uint8Array): string =>
      openssl(
        "verify",
        "-CAfile",
        chain,
        "-crl_check",
        "-CRLfile",
        crl,
        "-attime",
        String(AT.getTime() / 1000 + 60),
        write("d.pem", toPem("CERTIFICATE", certificate)),
      );
    assert.match(verify(kept.octets), /OK/);
    assert.throws(() => verify(lost.octets), /certificate revoked/);
  });

  test("a list without entries, a shard and a delta read back", () => {
    const shard = "http://crl.example.test/issuing/7.crl";
    const full = openCrl(
      issueCrl(issuing, { number: 5n, thisUpdate: AT, nextUpdate: NEXT, shard }, []),
      issuing.certificate,
    );
    assert.deepEqual([full.shard, full.revocations.length, full.since], [shard, 0, undefined]);
    const [one, two] = revoked(2);
    const first = openCrl(
      issueCrl(issuing, { number: 6n, since: 5n, thisUpdate: AT, nextUpdate: NEXT, shard }, [one!]),
      issuing.certificate,
    );
    const now = applyDelta(full, first);
    assert.deepEqual([now.number, now.revocations.length, now.since], [6n, 1, undefined]);
    const lifted = { ...one!, reason: "removeFromCRL" as const };
    const second = openCrl(
      issueCrl(issuing, { number: 7n, since: 5n, thisUpdate: AT, nextUpdate: NEXT, shard }, [two!, lifted]),
      issuing.certificate,
    );
    assert.deepEqual(
      [...applyDelta(now, second).revocations].map(({ serial }) => toHex(serial)),
      [toHex(two!.serial)],
    );
    assert.throws(() => applyDelta({ ...full, number: 4n }, first), code("crl-refused"));
    assert.throws(() => applyDelta({ ...full, shard: "other" }, first), code("crl-refused"));
  });

  test("another's list, and one changed in any octet, are refused", () => {
    const octets = issueCrl(issuing, { number: 2n, thisUpdate: AT, nextUpdate: NEXT }, revoked(2));
    assert.throws(() => openCrl(octets, tree.utility.certificate), code("crl-refused"));
    fc.assert(
      fc.property(fc.nat(octets.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = octets.slice();
        changed[at]! ^= change;
        assert.throws(
          () => openCrl(changed, issuing.certificate),
          (error) => error instanceof DlmsError || error instanceof PkiError,
        );
      }),
      { numRuns: 1500 },
    );
  });
});

describe("OCSP", () => {
  const responder = makeAuthority(issuing, "ocsp-responder", "Responder", { policies: [], notBefore: AT });
  const device = issueDevice(issuing, "dlms-suite-1-signature");
  const answer = { serial: device.serial, thisUpdate: AT, nextUpdate: NEXT };

  for (const [who, by] of [
    ["the issuer", issuing],
    ["its responder", responder],
  ] as const)
    test(`OpenSSL takes an answer that ${who} signed ahead, also for SHA-256 names`, () => {
      const good = write(
        "good.der",
        issueOcspResponse(issuing.certificate, by, { ...answer, status: { kind: "good" } }),
      );
      const status = { kind: "revoked", revokedAt: AT, reason: "keyCompromise" } as const;
      const bad = write("bad.der", issueOcspResponse(issuing.certificate, by, { ...answer, status }));
      const pem = write("device.pem", toPem("CERTIFICATE", device.octets));
      const ask = (response: string, ...rest: string[]): string =>
        openssl(
          "ocsp",
          ...rest,
          "-issuer",
          issuerFile,
          "-cert",
          pem,
          "-respin",
          response,
          "-CAfile",
          chain,
          "-no_nonce",
        );
      assert.match(ask(good), /: good/);
      assert.match(ask(good, "-sha256"), /: good/);
      assert.match(ask(bad), /: revoked[\s\S]*Reason: keyCompromise/);
    });

  test("a request of OpenSSL is understood, and one about another issuer's certificate is not ours", () => {
    const path = join(directory, "request.der");
    openssl("ocsp", "-issuer", issuerFile, "-serial", `0x${toHex(device.serial)}`, "-reqout", path);
    const request = makeOcspRequest(issuing.certificate, device.serial);
    for (const octets of [request, new Uint8Array(execFileSync("cat", [path]))])
      assert.deepEqual(askedSerial(octets, issuing.certificate), device.serial);
    assert.equal(askedSerial(request, tree.utility.certificate), undefined);
  });

  test("an answer is taken in its time, about its certificate, from who may give it", () => {
    const octets = issueOcspResponse(issuing.certificate, responder, { ...answer, status: { kind: "good" } });
    const asked = { issuer: issuing.certificate, responder: responder.certificate, serial: device.serial, at: AT };
    assert.deepEqual(openOcspResponse(octets, asked), { kind: "good" });
    assert.throws(() => openOcspResponse(octets, { ...asked, at: new Date(AT.getTime() - 1) }), code("ocsp-refused"));
    assert.throws(() => openOcspResponse(octets, { ...asked, at: new Date("2057-01-01") }), code("ocsp-refused"));
    assert.throws(() => openOcspResponse(octets, { ...asked, serial: randomBytes(16) }), code("ocsp-refused"));
    assert.throws(() => openOcspResponse(octets, { ...asked, responder: issuing.certificate }), code("ocsp-refused"));
    const stranger = makeAuthority(tree.utility, "issuing-p256");
    const forged = issueOcspResponse(issuing.certificate, stranger, { ...answer, status: { kind: "good" } });
    assert.throws(() => openOcspResponse(forged, { ...asked, responder: stranger.certificate }), code("ocsp-refused"));
    assert.throws(() => openOcspResponse(ocspError("tryLater"), asked), code("ocsp-refused"));
    const { notBefore, notAfter } = responder.certificate.validity;
    assert.ok(isResponderOf(responder.certificate, issuing.certificate, notBefore));
    assert.ok(!isResponderOf(responder.certificate, issuing.certificate, new Date(notBefore.getTime() - 1)));
    assert.ok(!isResponderOf(responder.certificate, issuing.certificate, new Date(notAfter.getTime() + 1)));
    assert.ok(!isResponderOf(device, issuing.certificate, notBefore));
  });

  test("an answer changed in any octet is refused", () => {
    const octets = issueOcspResponse(issuing.certificate, issuing, { ...answer, status: { kind: "good" } });
    const asked = { issuer: issuing.certificate, serial: device.serial, at: AT };
    for (let at = 0; at < octets.length; at += 1) {
      const changed = octets.slice();
      changed[at]! ^= 0x01;
      assert.throws(
        () => openOcspResponse(changed, asked),
        (error) => error instanceof DlmsError || error instanceof PkiError,
        `octet ${at}`,
      );
    }
  });
});
