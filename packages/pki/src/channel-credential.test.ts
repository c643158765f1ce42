import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createChannelCredential } from "./channel-credential.ts";
import { PkiError } from "./errors.ts";

test("a channel credential is a self-signed end-entity certificate that OpenSSL verifies", () => {
  const { certificate, privateKey } = createChannelCredential("head-end", new Date("2026-11-21T00:00:00Z"));
  const parsed = new X509Certificate(certificate);
  assert.equal(parsed.subject, "CN=head-end");
  assert.equal(parsed.ca, false);
  assert.ok(parsed.verify(parsed.publicKey));
  assert.ok(parsed.checkPrivateKey(createPrivateKey(privateKey)));
  assert.deepEqual(parsed.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  assert.equal(new Date(parsed.validTo).getUTCFullYear(), 9999);
});

test("two credentials share neither key nor serial number", () => {
  const now = new Date("2026-11-21T00:00:00Z");
  const [one, other] = [createChannelCredential("a", now), createChannelCredential("a", now)];
  assert.notEqual(one.privateKey, other.privateKey);
  assert.notEqual(
    new X509Certificate(one.certificate).serialNumber,
    new X509Certificate(other.certificate).serialNumber,
  );
});

test("a name that does not fit a common name is refused", () => {
  assert.throws(
    () => createChannelCredential("", new Date()),
    (error: unknown) => error instanceof PkiError && error.code === "certificate-request-invalid",
  );
});
