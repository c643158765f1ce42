import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./run.ts";
import type { Totals } from "./totals.ts";

const NAMED = 'import { test } from "node:test"; test("passes", () => {});';

test("a file that throws while it is loaded has failed, were tests of it named by then or not", (context) => {
  const directory = mkdtempSync(join(tmpdir(), "meterkeep-totals-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const report = join(directory, "totals.json");
  const files = Object.entries({
    whole: NAMED,
    none: 'throw new Error("before any test");',
    half: `${NAMED} throw new Error("behind its first test");`,
  }).map(([name, text]) => {
    const file = join(directory, `${name}.test.mjs`);
    writeFileSync(file, text);
    return file;
  });
  // What node:test tells a child of its own by: this one is nobody's.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const reporter = [`--test-reporter=${ROOT}/tools/totals.ts`, `--test-reporter-destination=${report}`];
  spawnSync(process.execPath, ["--test", "--test-isolation=none", "--test-force-exit", ...reporter, ...files], { env });
  const { passed, failed, broken } = JSON.parse(readFileSync(report, "utf8")) as Totals;
  assert.deepEqual([passed, failed, broken.length], [2, 2, 1]);
  assert.match(broken[0] ?? "", /half\.test\.mjs threw while it was loaded: Error: behind its first test/);
});
