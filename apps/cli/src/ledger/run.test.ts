import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { verifyLedger } from "./run.ts";

test("a file that is not there, or is another, is no fault of a ledger: the command was called wrongly", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-verify-"));
  const [empty, words, missing] = [join(folder, "empty"), join(folder, "words"), join(folder, "missing")];
  writeFileSync(empty, "");
  writeFileSync(words, "{}");
  try {
    for (const [file, options, says] of [
      [missing, {}, /missing cannot be read: ENOENT/],
      [folder, {}, /is a folder/],
      [empty, { checkpoint: missing }, /missing cannot be read: ENOENT/],
      [empty, { checkpoint: folder }, /cannot be read: EISDIR/],
      [empty, { witness: [missing] }, /missing cannot be read: ENOENT/],
      [empty, { witness: [words] }, /words holds no keys of a witness/],
    ] as const) {
      const terminal = scratchTerminal();
      await assert.rejects(verifyLedger(file, options, terminal), { code: "input-unreadable", message: says });
      assert.equal(terminal.out(), "", "nothing is said of a ledger");
    }
    const terminal = scratchTerminal();
    await verifyLedger(empty, {}, terminal);
    assert.match(terminal.out(), /The ledger is NOT whole/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
