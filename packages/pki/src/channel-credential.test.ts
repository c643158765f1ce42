import assert from "node:assert/strict";
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { certificateFingerprint, createChannelCredential } from "./channel-credential.ts";

const make = (name: string) =>
  createChannelCredential({
    name,
    serial: randomBytes(16),
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2056-01-01T00:00:00Z"),
  });

test("a channel credential is a certificate that node:crypto reads, for the key beside it", () => {
  const credential = make("head-end");
  const certificate = new X509Certificate(credential.certificate);
  assert.equal(certificate.subject, "CN=head-end");
  assert.ok(certificate.checkPrivateKey(createPrivateKey(credential.privateKey)));
  assert.ok(certificate.verify(certificate.publicKey));
  assert.equal(certificate.validFromDate.toISOString(), "2026-01-01T00:00:00.000Z");
  assert.equal(certificate.validToDate.toISOString(), "2056-01-01T00:00:00.000Z");
  assert.equal(certificate.ca, false);
});

test("a credential for strangers names the hosts that they compare", () => {
  const { certificate } = createChannelCredential({
    name: "key service",
    serial: randomBytes(16),
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2027-01-01T00:00:00Z"),
    hosts: ["keys.example", "127.0.0.1", "2001:db8::1:0:7"],
  });
  const read = new X509Certificate(certificate);
  assert.equal(read.checkHost("keys.example"), "keys.example");
  assert.equal(read.checkIP("127.0.0.1"), "127.0.0.1");
  assert.equal(read.checkIP("2001:db8::1:0:7"), "2001:db8::1:0:7");
  assert.equal(read.checkHost("other.example"), undefined);
});

test("two ends that pin each other speak TLS 1.3 over a Unix socket, and a third is refused", async () => {
  const directory = mkdtempSync(join(tmpdir(), "mk-pki-"));
  const path = join(directory, "s");
  const [server, client, stranger] = [make("custodian"), make("head-end"), make("head-end")];
  const listener = createServer(
    {
      key: server.privateKey,
      cert: server.certificate,
      ca: [client.certificate],
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
    },
    (socket: TLSSocket) => {
      socket.on("error", () => {});
      socket.end(certificateFingerprint(socket.getPeerX509Certificate()!.raw));
    },
  );
  listener.on("tlsClientError", () => {});
  listener.listen(path);
  await once(listener, "listening");
  const say = async (credential: typeof client) => {
    const socket = connect({
      path,
      key: credential.privateKey,
      cert: credential.certificate,
      ca: [server.certificate],
      checkServerIdentity: () => undefined,
    });
    let heard = "";
    socket.setEncoding("utf8").on("data", (text) => {
      heard += text;
    });
    await Promise.race([once(socket, "close"), once(socket, "error")]);
    return heard;
  };
  try {
    assert.equal(await say(client), certificateFingerprint(client.certificate));
    assert.equal(await say(stranger), "");
  } finally {
    listener.close();
    rmSync(directory, { recursive: true });
  }
});
