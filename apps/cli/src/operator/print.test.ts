import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeterDetail, MeterSummary, RegisterReading } from "@meterkeep/api";
import { metersText, meterText } from "./print.ts";

const DETAIL = {
  meter: { systemTitle: "4D4B5000000007E9", label: "Mine", kind: "real" },
  identity: { manufacturer: "MKP", holders: [] },
  keys: [],
  trust: { state: "held", since: "2026-11-21T12:00:00.000Z", sentence: "Its keys were added by hand.", history: [] },
  takeover: { stage: "not-applicable", grade: "none", sentence: "Nobody has spoken with it yet.", steps: [] },
  destinations: [],
  intervals: { held: 0, missing: 0 },
} as unknown as MeterDetail;

const reading = (obis: string, value: number, minute: number): RegisterReading => ({
  obis,
  name: "Active energy import",
  value,
  unit: "Wh",
  time: `2026-11-21T12:0${minute}:00.000Z`,
  receivedAt: "2026-11-21T12:10:00.000Z",
  disputed: false,
  evidence: "0".repeat(64),
  protection: "authenticated",
  source: "push",
  trustAtCapture: "held",
  trustNow: "held",
  decisive: false,
});

test("a meter is shown with the newest value of each register, and without words for what nobody knows", () => {
  const text = meterText(DETAIL, [reading("1-0:2.8.0", 5, 1), reading("1-0:1.8.0", 8, 2), reading("1-0:1.8.0", 7, 1)]);
  assert.match(text, /\n {2}MKP\n/);
  assert.doesNotMatch(text, /firmware/);
  assert.match(
    text,
    /1-0:1\.8\.0 {2}Active energy import: 8 Wh {2}2026-11-21T12:02:00.000Z, held, not for decisions\n/,
  );
  assert.doesNotMatch(text, /: 7 Wh/);
  assert.ok(text.indexOf("1-0:1.8.0") < text.indexOf("1-0:2.8.0"));
  assert.match(meterText(DETAIL, []), /Readings: none yet/);
});

test("the list of meters says why each is trusted as it is, and marks times that are simulated", () => {
  const meter = {
    systemTitle: "4D4B5000000007E9",
    label: "Mine",
    kind: "simulated",
    trust: "held",
    trustSentence: "Nobody has spoken with it yet.",
    takeover: "shipped",
    supply: "unknown",
    stale: true,
    lastReadingAt: "2026-11-21T12:00:00Z",
  } as unknown as MeterSummary;
  const text = metersText([meter, { ...meter, kind: "real", stale: false }]);
  assert.match(text, /last reading.*why/);
  assert.match(text, /2026-11-21T12:00:00Z \(simulated time, stale\).*Nobody has spoken with it yet\./);
  assert.match(text, /real .*2026-11-21T12:00:00Z {2,}│? *Nobody|real .*2026-11-21T12:00:00Z [^(]*Nobody/);
});
