import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { REFERENCE_PAGES } from "./reference.ts";
import { ROOT } from "./run.ts";

for (const [path, page] of Object.entries(REFERENCE_PAGES))
  test(`${path} says what the declarations say (node tools/reference.ts writes it anew)`, () => {
    assert.equal(readFileSync(`${ROOT}/${path}`, "utf8"), page());
  });
