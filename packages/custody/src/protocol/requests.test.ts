import assert from "node:assert/strict";
import { test } from "node:test";
import { textOf } from "./requests.ts";

test("what a meter calls itself is text where it is printable, and hex otherwise, whatever type it comes in", () => {
  for (const type of ["visible-string", "utf8-string"] as const) {
    assert.equal(textOf({ type, value: "MKV0000007" }), "MKV0000007");
    assert.equal(textOf({ type, value: "Zähler" }), "Zähler");
    // Else the verdict that it is another meter could not be written.
    assert.equal(textOf({ type, value: "MKV\u0000" }), "4d4b5600");
  }
  assert.equal(textOf({ type: "octet-string", value: Uint8Array.of(0x4d, 0) }), "4d00");
  assert.equal(textOf({ type: "boolean", value: true }), undefined);
});
