import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createChannelCredential } from "@meterkeep/pki";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { addHeadEnd, listHeadEnds } from "./run.ts";

const ASKED = { purposes: "read", reason: "a test", utility: "demo", state: "/nonexistent" };

async function withCertificate(body: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-head-ends-"));
  const { certificate } = createChannelCredential({
    name: "acme",
    serial: randomBytes(16),
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2056-01-01T00:00:00Z"),
  });
  try {
    const file = join(folder, "acme.crt");
    writeFileSync(file, certificate);
    await body(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a head-end that is not said whole is not asked for", () =>
  withCertificate(async (file) => {
    const wrong = [
      {},
      { certificate: [file], issuer: file },
      { issuer: file },
      { certificate: ["/nonexistent"] },
      { certificate: [file], purposes: "sign" },
      { certificate: [file], meters: "4D4B56" },
      { certificate: [file], batch: "0" },
    ];
    for (const change of wrong)
      await assert.rejects(
        addHeadEnd("acme", { ...ASKED, ...change }, scratchTerminal()),
        { code: "option-invalid" },
        JSON.stringify(change),
      );
  }));

test("where nothing runs, that is what is said", () =>
  withCertificate(async (file) => {
    const options = { ...ASKED, certificate: [file], meters: "4D4B560000000001-4D4B5600000000FF" };
    await assert.rejects(addHeadEnd("acme", options, scratchTerminal()), { code: "not-running" });
    await assert.rejects(listHeadEnds(ASKED, scratchTerminal()), { code: "not-running" });
  }));
