import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { issueCertificate, issueCrl, issueRoot, localSigner, PROFILES, toPem } from "@meterkeep/pki";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { verifyByFiles } from "./verify.ts";

const BEGIN = new Date("2026-01-01T00:00:00Z");
const NOW = "2026-01-20T00:00:00Z";
const LISTS = "http://lists.example/1.crl";

function freshKey(curve: "P-256" | "P-384") {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: curve });
  const { x, y } = privateKey.export({ format: "jwk" }) as { readonly x: string; readonly y: string };
  const point = new Uint8Array(Buffer.concat([Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]));
  return localSigner(privateKey, { curve, point });
}

const order = (name: string, serial: number) =>
  ({
    profile: PROFILES.get(name)!,
    subject: { names: { CN: name } },
    serial: Uint8Array.of(0x11, serial),
    notBefore: BEGIN,
    policies: ["2.5.29.32.0"],
  }) as const;

test("a certificate is judged by files alone: its path, what it is for, and lists, without one of which it is not believed", async () => {
  const home = mkdtempSync(join(tmpdir(), "meterkeep-verify-"));
  const at = (name: string) => join(home, name);
  try {
    const rootKey = freshKey("P-384");
    const root = { signer: rootKey, certificate: issueRoot(rootKey, order("root", 1)) };
    const key = freshKey("P-256");
    const certificate = issueCertificate(root, { ...order("issuing-p256", 2), publicKey: key.publicKey });
    const issuing = { signer: key, certificate };
    const own = { ...order("technician", 3), publicKey: freshKey("P-256").publicKey, distributionPoints: [LISTS] };
    const person = issueCertificate(issuing, own);
    for (const [name, one] of Object.entries({ root: root.certificate, issuing: certificate, person }))
      writeFileSync(at(`${name}.pem`), toPem("CERTIFICATE", one.octets));
    const times = { thisUpdate: BEGIN, nextUpdate: new Date("2027-01-01T00:00:00Z") };
    const entry = { serial: person.serial, revokedAt: BEGIN, reason: "superseded" } as const;
    writeFileSync(at("root.crl"), issueCrl(root, { number: 1n, ...times }, []));
    writeFileSync(at("full.crl"), issueCrl(issuing, { number: 1n, ...times, shard: LISTS }, []));
    writeFileSync(at("other.crl"), issueCrl(issuing, { number: 1n, ...times, shard: `${LISTS}x` }, []));
    writeFileSync(at("delta.crl"), issueCrl(issuing, { number: 2n, since: 1n, ...times, shard: LISTS }, [entry]));
    const said = async (use: string, crl?: readonly string[]) => {
      const terminal = scratchTerminal();
      const files = { anchors: at("root.pem"), untrusted: [at("issuing.pem")], ...(crl && { crl: crl.map(at) }) };
      await verifyByFiles(at("person.pem"), { ...files, use, at: NOW }, terminal);
      return [terminal.exitStatus, terminal.out()] as const;
    };
    const refusal = (problem: string) => new RegExp(`^refused: .*\\[${problem}\\]\\n$`);
    const cases = [
      ["tls-client", undefined, /^trusted: CN=technician < CN=issuing-p256 < CN=root; nobody looked/],
      ["tls-client", ["root.crl", "full.crl"], /^trusted: [^;]*\n$/],
      ["tls-server", ["root.crl", "full.crl"], refusal("usage-not-allowed")],
      ["keyAgreement", ["root.crl", "full.crl"], refusal("usage-not-allowed")],
      ["tls-client", ["root.crl"], refusal("revocation-unknown")],
      ["tls-client", ["full.crl"], refusal("revocation-unknown")],
      ["tls-client", ["root.crl", "other.crl"], refusal("revocation-unknown")],
      ["tls-client", ["root.crl", "delta.crl", "full.crl"], refusal("revoked")],
    ] as const;
    for (const [use, crl, wanted] of cases) {
      const [status, text] = await said(use, crl);
      assert.match(text, wanted, `${use} by ${crl}`);
      assert.equal(status, text.startsWith("trusted") ? 0 : 1);
    }
  } finally {
    rmSync(home, { recursive: true });
  }
});
