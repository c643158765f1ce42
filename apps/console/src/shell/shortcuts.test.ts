import assert from "node:assert/strict";
import { test } from "node:test";
import { nextPath } from "../sign-in/next-path.ts";
import { readKey, SHORTCUTS } from "./shortcuts.ts";

test("a pair of keys leads to a page, a single one acts at once", () => {
  const first = readKey(undefined, "g");
  assert.deepEqual(first, { held: "g", action: undefined });
  assert.deepEqual(readKey(first.held, "t"), { held: undefined, action: "town" });
  assert.deepEqual(readKey(undefined, "?"), { held: undefined, action: "shortcuts" });
  assert.deepEqual(readKey("g", "x"), { held: undefined, action: undefined });
  assert.deepEqual(readKey("g", "g"), { held: "g", action: undefined });
});

test("no two shortcuts have the same keys", () => {
  const keys = SHORTCUTS.map((shortcut) => shortcut.keys.join(" "));
  assert.equal(new Set(keys).size, keys.length);
});

test("signing in leads to a page of this console and nowhere else", () => {
  assert.equal(nextPath("/meters/4D4B560000000001?evidence=ab"), "/meters/4D4B560000000001?evidence=ab");
  for (const elsewhere of [undefined, "https://example.org/", "//example.org", "/\\example.org", "/sign-in#x"])
    assert.equal(nextPath(elsewhere), "/");
});
