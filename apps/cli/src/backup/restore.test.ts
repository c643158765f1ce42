import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { feedFolderIn } from "./restore.ts";

test("an escrow directory without an escrow is refused by name, before anything is restored", () => {
  const directory = mkdtempSync(join(tmpdir(), "mk-restore-"));
  try {
    assert.equal(feedFolderIn(undefined), undefined);
    assert.throws(() => feedFolderIn(directory), { code: "option-invalid", message: /meterkeep-escrow is not there/ });
    mkdirSync(join(directory, "meterkeep-escrow"));
    assert.equal(feedFolderIn(directory), join(directory, "meterkeep-escrow"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
