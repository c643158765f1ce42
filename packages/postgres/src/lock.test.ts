import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { acquireLock } from "./lock.ts";

let directory: string;
before(() => {
  directory = mkdtempSync(`${tmpdir()}/lock-`);
});
after(() => rmSync(directory, { recursive: true, force: true }));

test("a second holder is refused with the process id of the first, and may go on after its release", () => {
  const first = acquireLock(`${directory}/a`, "the directory");
  assert.throws(() => acquireLock(`${directory}/a`, "the directory"), {
    code: "already-running",
    message: new RegExp(`in use by process ${process.pid}`),
  });
  first.release();
  acquireLock(`${directory}/a`, "the directory").release();
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith("a")),
    [],
  );
});

test("the lock of a process that is gone is taken over", () => {
  const { pid } = spawnSync("true");
  writeFileSync(`${directory}/b`, `${pid} 12345\n`);
  const lock = acquireLock(`${directory}/b`, "the directory");
  assert.match(readFileSync(`${directory}/b`, "utf8"), new RegExp(`^${process.pid} `));
  lock.release();
});

test("a process id that now belongs to another process does not hold the lock", () => {
  writeFileSync(`${directory}/c`, `${process.pid} 1\n`);
  acquireLock(`${directory}/c`, "the directory").release();
});

test("releasing leaves alone a lock that somebody else has taken since", () => {
  const lock = acquireLock(`${directory}/d`, "the directory");
  writeFileSync(`${directory}/d`, "1 1\n");
  lock.release();
  assert.equal(readFileSync(`${directory}/d`, "utf8"), "1 1\n");
});

test("a lock is lost with its file, and to whoever puts another in its place", () => {
  const lock = acquireLock(`${directory}/e`, "the directory");
  assert.equal(lock.isHeld(), true);
  writeFileSync(`${directory}/e`, "1 1\n");
  assert.equal(lock.isHeld(), false);
  rmSync(`${directory}/e`);
  assert.equal(lock.isHeld(), false);
});
