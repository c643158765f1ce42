import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { SoftTokens, softTokenMissing } from "@meterkeep/hsm/testing";
import { run } from "../program.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";

describe("hsm probe", { skip: softTokenMissing() ?? false }, () => {
  test("lists tokens, tries one, and never takes a PIN that others can read", async () => {
    using tokens = new SoftTokens();
    const { library, label, pin, env } = tokens.make("probed");
    const probe = async (...args: readonly string[]) => {
      const terminal = scratchTerminal({ ...process.env, ...env });
      const status = await run(terminal, ["hsm", "probe", "--library", library, ...args]);
      return { status, stdout: terminal.out(), stderr: terminal.err() };
    };
    const pinFile = join(tokens.directory, "pin");
    writeFileSync(pinFile, `${await pin()}\n`, { mode: 0o600 });
    const listed = await probe();
    assert.match(listed.stdout, /probed/);
    const tried = await probe("--label", label, "--pin-file", pinFile);
    assert.match(tried.stdout, /HMAC-SHA-256.*works/);
    assert.match(tried.stdout, /AES-GCM.*works/);
    assert.equal(tried.status, 0);
    tokens.fault({ kind: "pin-last-try", times: -1 });
    const last = await probe("--label", label, "--pin-file", pinFile);
    assert.match(last.stderr, /one more wrong PIN locks it: none was tried/);
    assert.equal((await probe("--label", label, "--pin-file", pinFile, "--last-try")).status, 0);
    tokens.fault({ kind: "none" });
    chmodSync(pinFile, 0o644);
    const refused = await probe("--label", label, "--pin-file", pinFile);
    assert.match(refused.stderr, /chmod 600/);
  });
});
