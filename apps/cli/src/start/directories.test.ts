import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { makeDirectories, writePrivate } from "./directories.ts";
import { chooseUsers } from "./users.ts";

const shared = chooseUsers(60_900, false, []);

test("sockets of a deep state directory are in the temporary folder, anew at every start", () => {
  const base = mkdtempSync(`${tmpdir()}/deep-`);
  const state = `${base}/${"deep/".repeat(20)}`;
  mkdirSync(state, { recursive: true });
  const first = makeDirectories(state, shared);
  const second = makeDirectories(state, shared);
  try {
    assert.ok(second.sockets.custodian.length < 60, second.sockets.custodian);
    assert.equal(existsSync(first.sockets.temporary ?? ""), false, "what a killed start left behind is removed");
  } finally {
    rmSync(second.sockets.temporary!, { recursive: true });
    rmSync(base, { recursive: true });
  }
});

test("a private file is never readable by others, nor half written", () => {
  const directory = mkdtempSync(`${tmpdir()}/private-`);
  try {
    writePrivate(`${directory}/a`, "one");
    writePrivate(`${directory}/a`, "two");
    assert.equal(statSync(`${directory}/a`).mode & 0o777, 0o600);
    assert.equal(existsSync(`${directory}/a.new`), false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
