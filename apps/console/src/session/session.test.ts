import assert from "node:assert/strict";
import { test } from "node:test";
import type { LadderStep } from "@meterkeep/api";
import { ladderGroups, stepWords, withoutSize } from "./ladder-rows.ts";
import { hexDump } from "./octets.ts";

const step = (at: string, name: string): LadderStep => ({
  at,
  direction: "to-meter",
  step: name,
  summary: name,
  octets: "00",
});

test("neighbouring messages of one step stand together, with the time since the beginning", () => {
  const groups = ladderGroups([
    step("2026-11-21T12:00:00.000Z", "factory-association"),
    step("2026-11-21T12:00:00.031Z", "factory-association"),
    step("2026-11-21T12:00:00.100Z", "transfer-master"),
  ]);
  assert.deepEqual(
    groups.map(({ words, rows }) => [words, rows.map(({ sinceMs }) => sinceMs)]),
    [
      ["Associate with the factory keys", [0, 31]],
      ["Hand over the master key, alone and last", [100]],
    ],
  );
  assert.deepEqual(ladderGroups([]), []);
});

test("the GETs of a reading stand together, whatever they ask for", () => {
  const at = "2026-11-21T12:00:00.000Z";
  const groups = ladderGroups([
    step(at, "authenticate"),
    step(at, "get 1.0.1.8.0.255/2"),
    step(at, "get 0.0.1.0.0.255/2"),
  ]);
  assert.deepEqual(
    groups.map(({ words, rows }) => [words, rows.length]),
    [
      ["Authenticate", 1],
      ["Read", 2],
    ],
  );
});

test("a step that has no words of its own reads its name", () => {
  assert.equal(stepWords("read-load-profile"), "Read load profile");
});

test("a dump has sixteen octets a line, their offset and what can be printed of them", () => {
  const lines = hexDump(`${"41".repeat(16)}0A7E`);
  assert.deepEqual(lines, [
    { offset: "0000", hex: Array(16).fill("41").join(" "), text: "A".repeat(16) },
    { offset: "0010", hex: "0A 7E", text: "·~" },
  ]);
  assert.deepEqual(hexDump(""), []);
});

test("a rung says its size once", () => {
  assert.equal(withoutSize("Asks to associate (AARQ, 95 octets)"), "Asks to associate (AARQ)");
  assert.equal(withoutSize("Gives 6 attributes (63 octets)"), "Gives 6 attributes");
  assert.equal(withoutSize("Gives 6 attributes"), "Gives 6 attributes");
});
