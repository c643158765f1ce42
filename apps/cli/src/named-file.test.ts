import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openFile, secretText, writeGiven } from "./named-file.ts";
import { run } from "./program.ts";
import { scratchTerminal } from "./testing/scratch-terminal.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-named-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a command that is given a file that is not there names it, with a code of ours, before it does anything", () =>
  inFolder(async (folder) => {
    const missing = join(folder, "missing");
    const state = ["--state", join(folder, "state")];
    writeFileSync(join(folder, "manifest.json"), "{}");
    const pki = ["aabbccdd", missing];
    for (const args of [
      ["field", "return", missing, ...state],
      ["field", "enrol", missing, "--technician", "Ada", ...state],
      ["manifest", "submit", missing, ...state],
      ["approve", "ab12", "--as", "anna", "--key", missing, ...state],
      ["backup", "verify", folder, "--keys", missing],
      ["backup", "verify", folder, "--recovery-key", missing],
      ["restore", folder, "--recovery-key", missing, ...state],
      ["restore", folder, "--recovery-key", join(folder, "manifest.json"), "--root-key", missing, ...state],
      ["vault", "rewrap", "--to-passphrase-file", missing, "--reason", "a test", ...state],
      ["hsm", "probe", "--library", missing, "--label", "one", "--pin-file", missing],
      ["keys", "child", "4D4B560000000001", "--channel", "1", "--default-key", missing, ...state],
      ["pki", "crl", ...pki, "--publish", ...state],
      ["pki", "batch", ...pki, "-", ...state],
      ["ledger", "witness", "--listen", "unix:/nowhere", "--folder", folder, "--name", "west", "--trust", missing],
      ["ledger", "approve", join(folder, "change"), "--name", "a", "--key", missing, "--change", "{}", "--reason", "r"],
      ["ceremony", "begin", missing, "--folder", folder, "--purpose", "p", "--shares", "3", "--threshold", "2"],
    ]) {
      const terminal = scratchTerminal();
      assert.equal(await run(terminal, args), 2, args.join(" "));
      assert.match(terminal.err(), /missing cannot be read: ENOENT.*\[input-unreadable\]\n$/, args.join(" "));
    }
    assert.equal(existsSync(join(folder, "state")), false);
  }));

test("a secret that others can read is refused with what mends it", () =>
  inFolder(async (folder) => {
    const file = join(folder, "pin");
    writeFileSync(file, "1234\n", { mode: 0o600 });
    assert.equal(secretText(file), "1234\n");
    chmodSync(file, 0o604);
    assert.throws(() => secretText(file), { code: "file-not-private", message: /chmod 600 .*pin$/ });
  }));

test("a folder in a file's place is told as one", () =>
  inFolder(async (folder) => {
    await assert.rejects(openFile(folder), { code: "input-unreadable", message: /is a folder/ });
  }));

test("what is given once is asked for when its file is made, and no empty file is left where it is refused", () =>
  inFolder(async (folder) => {
    const file = join(folder, "today.lease");
    const refused = new Error("the custodian refuses");
    const give = async (given: () => string) =>
      writeGiven(
        file,
        async () => given(),
        (text) => text,
      );
    await assert.rejects(
      give(() => {
        throw refused;
      }),
      refused,
    );
    assert.equal(existsSync(file), false);
    assert.equal(await give(() => "a lease"), "a lease");
    assert.deepEqual([readFileSync(file, "utf8"), statSync(file).mode & 0o777], ["a lease", 0o600]);
    await assert.rejects(
      give(() => assert.fail("asked for, and lost")),
      { code: "input-unreadable", message: /today\.lease cannot be written: EEXIST/ },
    );
    assert.equal(readFileSync(file, "utf8"), "a lease");
  }));
