import assert from "node:assert/strict";
import { test } from "node:test";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { reportText, statesText } from "./print.ts";
import { rotate } from "./run.ts";

const ASKED = { cause: "demand", reason: "a test" };

test("who is to be rotated is said in one way: meters, all, or by age", async () => {
  const terminal = scratchTerminal();
  await assert.rejects(rotate([], ASKED, terminal), { code: "option-invalid" });
  await assert.rejects(rotate(["4D4B560000000001"], { ...ASKED, all: true }, terminal), { code: "option-invalid" });
  await assert.rejects(rotate(["4D4B56"], ASKED, terminal), { code: "option-invalid" });
  await assert.rejects(rotate([], { ...ASKED, olderThan: "soon" }, terminal), { code: "option-invalid" });
  await assert.rejects(rotate([], { ...ASKED, all: true, purposes: "GUEK,PIN" }, terminal), { code: "option-invalid" });
  await assert.rejects(rotate([], { ...ASKED, all: true, cause: "boredom" }, terminal), { code: "option-invalid" });
});

test("where nothing runs, that is what is said", async () => {
  const options = { ...ASKED, all: true, state: "/nonexistent" };
  await assert.rejects(rotate([], options, scratchTerminal()), { code: "not-running" });
});

test("the report has each number with what it counts", () => {
  const policy = { cryptoPeriodDays: 730, countLimit: 2 ** 31, perHour: 1500, retainDays: 400 };
  const counts = {
    meters: 53,
    planned: 9,
    underWay: 3,
    proven: 41,
    failed: 1,
    overdue: 2,
    unproven: 4,
    compromised: 5,
  };
  const text = reportText({ ...counts, policy });
  assert.match(text, /9 planned, 3 under way, 41 proven, 1 failed/);
  assert.match(text, /^Due {10}2 with a key older than 730 days$/m);
  assert.equal(statesText([]), "");
});
