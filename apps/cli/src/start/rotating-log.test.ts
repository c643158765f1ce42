import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { openRotatingLog } from "./rotating-log.ts";

test("a full log is renamed, the newest text is in the first file, and the oldest is dropped", () => {
  const directory = mkdtempSync(`${tmpdir()}/log-`);
  try {
    const log = openRotatingLog(`${directory}/a.log`, 10);
    for (let number = 0; number < 6; number += 1) log.write(`line number ${number}\n`);
    log.close();
    assert.deepEqual(readdirSync(directory).sort(), ["a.log", "a.log.1", "a.log.2", "a.log.3"]);
    assert.equal(readFileSync(`${directory}/a.log`, "utf8"), "line number 5\n");
    assert.equal(readFileSync(`${directory}/a.log.3`, "utf8"), "line number 2\n");
    assert.equal(statSync(`${directory}/a.log`).mode & 0o777, 0o600);
    const again = openRotatingLog(`${directory}/a.log`, 100);
    again.write("more\n");
    again.close();
    assert.equal(readFileSync(`${directory}/a.log`, "utf8"), "line number 5\nmore\n");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a log whose directory is gone takes what is written and ends nobody", () => {
  const directory = mkdtempSync(`${tmpdir()}/log-`);
  const log = openRotatingLog(`${directory}/a.log`, 10);
  rmSync(directory, { recursive: true });
  for (let number = 0; number < 4; number += 1) log.write("longer than ten octets\n");
  mkdirSync(directory);
  try {
    log.write("back\n");
    assert.equal(readFileSync(`${directory}/a.log`, "utf8"), "back\n");
    log.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
