import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openDrillScratch } from "./drill-scratch.ts";

test("a drill takes away what drills left that were killed, and nothing of one that runs or of anybody else", () => {
  const parent = mkdtempSync(join(tmpdir(), "meterkeep-scratch-"));
  try {
    const { pid: dead } = spawnSync(process.execPath, ["--version"]);
    const left = (name: string): string => {
      mkdirSync(join(parent, name));
      writeFileSync(join(parent, name, "restored"), "keys");
      return join(parent, name);
    };
    const killed = left(`meterkeep-restore-drill-${dead}-abcdef`);
    const running = left(`meterkeep-restore-drill-${process.ppid}-abcdef`);
    const other = left(`meterkeep-bench-${dead}-abcdef`);
    {
      using scratch = openDrillScratch(parent);
      writeFileSync(join(scratch.path, "restored"), "keys");
      assert.deepEqual([killed, running, other, scratch.path].map(existsSync), [false, true, true, true]);
    }
    assert.equal(readdirSync(parent).length, 2, "its own is gone when it ends");
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});
