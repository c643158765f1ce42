import assert from "node:assert/strict";
import { test } from "node:test";
import { briefBody } from "./brief.ts";

test("a body is told in one line, without what only proves", () => {
  assert.equal(briefBody('{"purpose":"read","GUEK":2,"GAK":2}'), "purpose read, GUEK 2, GAK 2");
  const closed = JSON.stringify({ outcome: "completed", refused: 0, toMeter: 9, sha256: "1b".repeat(32) });
  assert.equal(briefBody(closed), "outcome completed, refused 0, to meter 9");
});

test("a long body is cut, and one that is no object says nothing", () => {
  const long = briefBody(JSON.stringify({ sentence: "word ".repeat(60) }));
  assert.ok(long.startsWith("word word") && long.endsWith("…") && long.length <= 96);
  assert.equal(briefBody("[1]"), "");
  assert.equal(briefBody("not JSON"), "");
});
