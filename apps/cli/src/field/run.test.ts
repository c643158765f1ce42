import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { lend, makeKey } from "./run.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-field-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a lease is for 1 to 12 hours, which is said before anybody is asked", () =>
  inFolder(async (folder) => {
    const options = { state: join(folder, "state"), operations: "read", reason: "a visit", out: join(folder, "out") };
    const lent = (hours: string) => lend("HH-1", ["4D4B560000000001"], { ...options, hours }, scratchTerminal());
    for (const hours of ["0", "13", "255", "1.5", "long"])
      await assert.rejects(lent(hours), { code: "option-invalid", message: /from 1 to 12/ });
    for (const hours of ["1", "12"]) await assert.rejects(lent(hours), { code: "not-running" });
  }));

test("a handheld's keys are written where nothing is yet, both or none", () =>
  inFolder(async (folder) => {
    const out = join(folder, "hh-1.key");
    const make = () => makeKey("HH-1", { out }, scratchTerminal());
    writeFileSync(`${out}.pub`, "another's");
    await assert.rejects(make(), { code: "input-unreadable", message: /hh-1\.key\.pub cannot be written: EEXIST/ });
    assert.equal(existsSync(out), false);
    rmSync(`${out}.pub`);
    await make();
    const made = readFileSync(out, "utf8");
    await assert.rejects(make(), { code: "input-unreadable", message: /hh-1\.key cannot be written: EEXIST/ });
    assert.equal(readFileSync(out, "utf8"), made);
  }));
