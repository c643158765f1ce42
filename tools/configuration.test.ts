import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { configurationDocument } from "./configuration.ts";
import { ROOT } from "./run.ts";

test("docs/configuration.md says what the declarations say (node tools/configuration.ts writes it anew)", () => {
  assert.equal(readFileSync(`${ROOT}/docs/configuration.md`, "utf8"), configurationDocument());
});
