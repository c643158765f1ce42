import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DecodeError, DlmsError } from "@meterkeep/dlms";
import { makeRequestWith, openRequest, PkiError } from "@meterkeep/pki";
import fc from "fast-check";
import { freshKey } from "../../testing/test-pki.ts";
import { requestOctets } from "./enrolment.ts";
import { EstRefusal } from "./refusal.ts";

test("a body of EST that was changed reads as the very request, or is refused by an error of its own", async () => {
  const request = await makeRequestWith(freshKey(), "edge 7");
  const lines = Buffer.from(request).toString("base64").replaceAll(/.{64}/g, "$&\r\n");
  const armour = `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`;
  for (const body of [lines, armour]) {
    assert.deepEqual(requestOctets(body), request);
    const spoilt = fc.tuple(fc.nat(body.length - 1), fc.nat(3), fc.string({ maxLength: 3, unit: "binary" }));
    fc.assert(
      fc.property(spoilt, ([at, cut, put]) => {
        try {
          const octets = requestOctets(body.slice(0, at) + put + body.slice(at + cut));
          openRequest(octets);
          assert.deepEqual(octets, request, "a signature held over another request");
        } catch (error) {
          const isOurs = error instanceof EstRefusal || error instanceof DlmsError || error instanceof PkiError;
          assert.ok(isOurs, String((error as Error).stack));
        }
      }),
      { numRuns: 1_000 },
    );
  }
});

test("a request over EST whose key has explicit parameters is refused, though its signature holds", () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-explicit-"));
  try {
    const run = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
    run("ecparam", "-name", "prime256v1", "-param_enc", "explicit", "-genkey", "-noout", "-out", "own.key");
    run("req", "-new", "-key", "own.key", "-subj", "/CN=edge 7", "-out", "own.csr");
    run("req", "-verify", "-noout", "-in", "own.csr");
    const body = readFileSync(join(folder, "own.csr"), "utf8");
    assert.throws(() => openRequest(requestOctets(body)), DecodeError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
