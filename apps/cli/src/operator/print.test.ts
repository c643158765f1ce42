import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeterDetail, MeterSummary, Overview, RegisterReading } from "@meterkeep/api";
import { metersText, meterText, overviewText } from "./print.ts";

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
  standing: "undisputed",
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

test("the list of meters is no wider than 120 columns, marks times that are simulated, and says once why meters are trusted so", () => {
  const why =
    "Its keys are ours, but whoever recorded the takeover and has the factory master key has them too. ".repeat(2);
  const meter = {
    systemTitle: "4D4B5000000007E9",
    label: "Linden Avenue 128 b",
    kind: "simulated",
    trust: "provisional",
    trustSentence: why,
    takeover: "under-way",
    supply: "disconnected",
    powerW: 12_345,
    stale: true,
    lastReadingAt: "2026-11-21T12:00:00Z",
  } as unknown as MeterSummary;
  const real = {
    ...meter,
    kind: "real",
    takeover: "not-applicable",
    stale: false,
    trustSentence: "It was added.",
  } as const;
  const lines = metersText([meter, meter, real]).split("\n");
  assert.ok(
    lines.every(({ length }) => length <= 120),
    lines.join("\n"),
  );
  assert.match(lines[1] ?? "", /^4D4B5000000007E9 .* sim\. .* under-way .* 12345 W +2026-11-21 12:00 stale +\[1\]$/);
  assert.match(lines[3] ?? "", / real .* none .* 2026-11-21 12:00 +\[2\]$/);
  const text = lines.join("\n");
  assert.match(text, /\n\[1\] 2 meters: Its keys are ours/);
  assert.match(text, /\n\[2\] 1 meter: It was added\.\n/);
  assert.match(text, /those of simulated meters \(sim\.\) are their town's/);
  assert.doesNotMatch(metersText([real]), /sim\./);
  assert.equal(metersText([]), "There are no such meters.\n");
});

test("the status says why there are more meters than homes", () => {
  const overview = (atTransformers: number): Overview =>
    ({
      counts: { meters: 204, simulated: 204, real: 0, atTransformers, byTrust: {} },
      clock: { now: "" },
      custodian: {},
      warnings: [],
    }) as unknown as Overview;
  assert.match(
    overviewText(overview(4), "x"),
    /Meters +204 \(204 simulated, 0 real\); 4 of them measure at transformers/,
  );
  assert.match(overviewText(overview(0), "x"), /Meters +204 \(204 simulated, 0 real\)\n/);
});
