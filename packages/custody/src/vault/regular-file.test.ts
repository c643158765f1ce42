import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NoRegularFile, openRegularFile } from "./regular-file.ts";

const READ = constants.O_RDONLY;
const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;

async function withFolder(body: (path: string, other: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-regular-"));
  try {
    writeFileSync(join(folder, "other"), "what must stay");
    await body(join(folder, "file"), join(folder, "other"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const [what, plant] of [
  ["a link to another file", (path, other) => symlinkSync(other, path)],
  ["a link to nothing", (path) => symlinkSync("/nowhere/at/all", path)],
  ["a link to a device", (path) => symlinkSync("/dev/zero", path)],
  ["a pipe", (path) => void execFileSync("mkfifo", [path])],
] as const satisfies readonly (readonly [string, (path: string, other: string) => void])[])
  test(`${what} in a file's place is neither followed, waited for nor written to`, () =>
    withFolder(async (path, other) => {
      plant(path, other);
      for (const flags of [READ, APPEND, constants.O_WRONLY | constants.O_APPEND])
        await assert.rejects(openRegularFile(path, flags), NoRegularFile);
      assert.equal(readFileSync(other, "utf8"), "what must stay");
    }));

test("a folder in a file's place is none, a file is made its owner's alone, and one that is not there is said not to be", () =>
  withFolder(async (path) => {
    await assert.rejects(openRegularFile(path, READ), { code: "ENOENT" });
    const made = await openRegularFile(path, APPEND);
    await made.appendFile("a line");
    await made.close();
    const file = await openRegularFile(path, READ);
    assert.equal(await file.readFile("utf8"), "a line");
    await file.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    rmSync(path);
    mkdirSync(path);
    await assert.rejects(openRegularFile(path, READ), NoRegularFile);
  }));
