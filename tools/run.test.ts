import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { processFacts } from "../test/src/process-facts.ts";
import { capture } from "./run.ts";

/** Starts one in a group of its own that holds its output and ignores that it is gone, says so, and never comes to an end. */
const HANGS = `
  import { spawn } from "node:child_process";
  import { renameSync, writeFileSync, writeSync } from "node:fs";
  const held = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "inherit", detached: true });
  writeSync(1, "the last thing that it said\\n");
  writeFileSync(process.env.NOTE + ".new", String(held.pid));
  renameSync(process.env.NOTE + ".new", process.env.NOTE);
  for (;;);`;

test("a command that does not come to its end is ended with what it has started, and what it said last is known", async (context) => {
  const directory = mkdtempSync(join(tmpdir(), "meterkeep-run-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const note = join(directory, "note");
  const enough = new AbortController();
  const running = capture(process.execPath, ["--input-type=module", "-e", HANGS], {
    env: { NOTE: note },
    enough: enough.signal,
    clearingMs: 0,
  });
  while (!existsSync(note)) await sleep(10);
  const held = Number(readFileSync(note, "utf8"));
  assert.ok(processFacts(held));
  enough.abort();
  const { status, output, isEnded } = await running;
  assert.notEqual(status, 0);
  assert.deepEqual([output, isEnded], ["the last thing that it said\n", true]);
  while (processFacts(held) !== undefined) await sleep(10);
});

test("a command that comes to its end was not ended", async () => {
  const enough = new AbortController();
  const captured = await capture(process.execPath, ["-e", "console.log(1); process.exit(3)"], {
    enough: enough.signal,
  });
  enough.abort();
  assert.deepEqual(captured, { status: 3, output: "1\n", isEnded: false });
});
