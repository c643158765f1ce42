import assert from "node:assert/strict";
import { test } from "node:test";
import { foreignText } from "./foreign-text.ts";

test("a foreign text keeps its letters, and nothing in it disturbs a database, a page or a terminal", () => {
  assert.equal(foreignText("Zähler 7 € 𝟙"), "Zähler 7 € 𝟙");
  assert.equal(foreignText("a\u0000b\u001b[2J\u009b\u202eM\ud83d\u2028\r\n"), "a?b?[2J??M????");
});
