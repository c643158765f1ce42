import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ROOT } from "./run.ts";

/** `export const DLMS_ERROR_CODES = ["a", …] as const`, in any workspace. */
const DECLARATION = /export const [A-Z0-9_]+_(?:ERROR|REFUSAL|PROBLEM)_CODES\s*=\s*\[([^\]]*)\]\s*as const/g;

function declaredCodes(): Map<string, string> {
  const codes = new Map<string, string>();
  for (const file of globSync(["packages/*/src/**/*.ts", "apps/*/src/**/*.ts"], { cwd: ROOT })) {
    for (const [, list] of readFileSync(`${ROOT}/${file}`, "utf8").matchAll(DECLARATION))
      for (const [, code] of list!.matchAll(/"([^"]+)"/g)) codes.set(code!, file);
  }
  return codes;
}

function documentedCodes(): Set<string> {
  const text = readFileSync(`${ROOT}/docs/errors.md`, "utf8");
  return new Set([...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, code]) => code!));
}

test("every error code has a row in docs/errors.md, and every row a code", () => {
  const declared = declaredCodes();
  const documented = documentedCodes();
  assert.ok(declared.size > 20, "the codes were not found; has the form of their declaration changed?");
  const missing = [...declared].filter(([code]) => !documented.has(code)).map(([code, file]) => `${code} (${file})`);
  const stale = [...documented].filter((code) => !declared.has(code));
  assert.deepEqual({ missing, stale }, { missing: [], stale: [] });
});
