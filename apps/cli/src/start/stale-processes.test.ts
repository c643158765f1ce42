import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { endStaleProcesses, noteProcess } from "./stale-processes.ts";

test("a note that was not written to its end names nobody: whoever starts next ends no process, least of all its own group", async (context) => {
  const directory = mkdtempSync(`${tmpdir()}/mk-notes-`);
  context.after(() => rmSync(directory, { recursive: true }));
  const kill = context.mock.method(process, "kill", () => true);
  writeFileSync(`${directory}/custodian`, "");
  writeFileSync(`${directory}/town`, "0 ");
  writeFileSync(`${directory}/server`, `${process.pid}`);
  noteProcess(directory, "depot", process.pid);
  // Killed before it had taken the place of what was there.
  writeFileSync(`${directory}/depot.draft`, `${process.pid} `);
  rmSync(`${directory}/depot`);
  assert.deepEqual(await endStaleProcesses(directory), []);
  assert.equal(kill.mock.callCount(), 0);
  assert.deepEqual(readdirSync(directory), []);
});

test("a note is there whole, and nothing beside it", (context) => {
  const directory = mkdtempSync(`${tmpdir()}/mk-notes-`);
  context.after(() => rmSync(directory, { recursive: true }));
  noteProcess(directory, "custodian", process.pid);
  noteProcess(directory, "custodian", process.pid);
  assert.deepEqual(readdirSync(directory), ["custodian"]);
});
