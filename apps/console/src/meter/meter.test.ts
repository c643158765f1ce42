import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegisterReading } from "@meterkeep/api";
import type { PowerPoint } from "../chart/power-series.ts";
import { decisiveSentence, intervalBars } from "./interval-view.ts";
import { keysByUse } from "./key-order.ts";
import { newestRegisters } from "./newest-registers.ts";

const point = (time: number, decisive: boolean): PowerPoint => ({
  time,
  powerW: time * 10,
  decisive,
  trustNow: "trusted",
  trustAtCapture: decisive ? "trusted" : "held",
  protection: "authenticated",
  statusWords: [],
  quality: "actual",
  evidence: "e",
});

test("an interval is either a full bar or a hollow one, never both", () => {
  const bars = intervalBars([point(1, false), point(2, true)]);
  assert.deepEqual(bars, { times: [1, 2], decisive: [null, 20], excluded: [10, null] });
});

test("how many intervals decisions may use is said in a sentence", () => {
  assert.equal(decisiveSentence([point(1, true), point(2, true)]), "Decisions may use all 2 intervals.");
  assert.equal(decisiveSentence([point(1, false)]), "Decisions may use none of these 1 interval.");
  assert.equal(decisiveSentence([point(1, false), point(2, true)]), "Decisions may use 1 of these 2 intervals.");
  assert.equal(decisiveSentence([]), "");
});

test("of each register only the newest value is shown", () => {
  const reading = (obis: string, time: string) => ({ obis, time }) as RegisterReading;
  const newest = newestRegisters([
    reading("1-0:2.8.0", "2026-11-21T12:00:00Z"),
    reading("1-0:1.8.0", "2026-11-21T12:00:00Z"),
    reading("1-0:1.8.0", "2026-11-21T12:15:00Z"),
  ]);
  assert.deepEqual(
    newest.map(({ obis, time }) => `${obis} ${time.slice(11, 16)}`),
    ["1-0:1.8.0 12:15", "1-0:2.8.0 12:00"],
  );
});

test("keys in use come first, by purpose; the others by purpose and newest version", () => {
  const key = (purpose: string, version: number, state: string) => ({
    purpose,
    version,
    state,
    origin: "generated",
    createdAt: "2026-11-21T12:00:00Z",
  });
  const { inUse, others } = keysByUse([
    key("KEK", 2, "active"),
    key("GUEK", 1, "deactivated"),
    key("GBEK", 1, "deactivated"),
    key("GBEK", 4, "pre-activation"),
    key("GUEK", 2, "active"),
  ]);
  assert.deepEqual(
    [inUse, others].map((keys) => keys.map(({ purpose, version }) => `${purpose} ${version}`)),
    [
      ["GUEK 2", "KEK 2"],
      ["GUEK 1", "GBEK 4", "GBEK 1"],
    ],
  );
});
