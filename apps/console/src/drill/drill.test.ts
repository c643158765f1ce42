import assert from "node:assert/strict";
import { test } from "node:test";
import type { DrillReport } from "@meterkeep/api";
import { cellSentence, drillSentence, drillVerdict, outcomeSentence, wallOf } from "./drill-words.ts";
import { moveInWall } from "./wall-keys.ts";

const report = (changes: Partial<DrillReport>): DrillReport => ({
  id: "00000000-0000-4000-8000-000000000000",
  state: "done",
  startedAt: "2026-11-21T12:00:00Z",
  principal: "head-end",
  asked: 201,
  sealed: 0,
  refused: 201,
  dark: 0,
  readBack: 200,
  sentence: "",
  items: [],
  ...changes,
});

test("the result is said in three numbers", () => {
  assert.equal(drillSentence(report({})), "201 asked, 0 sealed, 0 homes dark");
  assert.equal(drillSentence(report({ dark: 1 })), "201 asked, 0 sealed, 1 home dark");
});

test("the drill holds only when it is done, and is broken by one seal or one dark home", () => {
  assert.equal(drillVerdict(report({})), "held");
  assert.equal(drillVerdict(report({ state: "asking" })), "pending");
  assert.equal(drillVerdict(report({ sealed: 1 })), "broken");
  assert.equal(drillVerdict(report({ state: "reading-back", dark: 1 })), "broken");
});

test("what could not be read back is not called lit", () => {
  assert.equal(outcomeSentence(report({}), 200), "The town stayed lit.");
  assert.equal(outcomeSentence(report({ readBack: 199 }), 200), "No home is dark, but 1 home could not be read back.");
  assert.equal(outcomeSentence(report({ dark: 1 }), 200), "");
  assert.equal(outcomeSentence(report({ state: "asking" }), 200), "");
});

test("the wall has a cell for every ask, from the counts until the items are known", () => {
  const wall = wallOf(report({ state: "asking", asked: 2, refused: 1 }), 4);
  assert.deepEqual(
    wall.map(({ state }) => state),
    ["refused", "asked", "ahead", "ahead"],
  );
  const [cell] = wallOf(
    report({
      asked: 1,
      items: [{ meter: "A", ask: "Disconnect the supply", outcome: "refused", supply: "connected" }],
    }),
    0,
  );
  assert.equal(
    cell === undefined ? "" : cellSentence(cell, 0, "Home 1"),
    "Disconnect the supply, Home 1: refused, read back supplied",
  );
});

test("arrow keys walk the wall and stop at its edges", () => {
  assert.equal(moveInWall(0, "ArrowLeft", 9, 3), 0);
  assert.equal(moveInWall(4, "ArrowDown", 9, 3), 7);
  assert.equal(moveInWall(7, "ArrowDown", 9, 3), 7);
  assert.equal(moveInWall(4, "End", 9, 3), 8);
  assert.equal(moveInWall(4, "a", 9, 3), undefined);
});
