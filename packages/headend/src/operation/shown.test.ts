import assert from "node:assert/strict";
import { test } from "node:test";
import { type Data, data, encode } from "@meterkeep/dlms";
import { plainOf, shown } from "./shown.ts";

test("texts of meters are shown without what no database takes, in whatever they are", () => {
  const value: Data = {
    type: "structure",
    value: [
      { type: "visible-string", value: "a\u0000b" },
      { type: "array", value: [{ type: "utf8-string", value: "\u20ac\u001b" }] },
    ],
  };
  assert.deepEqual(plainOf(value), ["a?b", ["\u20ac?"]]);
  assert.equal(shown(encode(data, value)), '["a?b",["\u20ac?"]]');
});

test("what is too long is not cut through a character", () => {
  const text = shown(encode(data, { type: "utf8-string", value: "\u{1d7d9}".repeat(150) }));
  assert.ok(text.endsWith("..."));
  assert.ok(text.isWellFormed());
});
