import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProfileView } from "@meterkeep/api";
import { spread } from "./direct-labels.ts";
import { alignSeries, powerColumn, powerSeries, sumSeries } from "./power-series.ts";
import { lastHours, nextStart, spanStart } from "./span.ts";

type Row = ProfileView["rows"][number];
const row = (time: string, ...values: (number | null)[]): Row => ({
  time,
  values,
  statusWords: [],
  quality: "actual",
  evidence: "e",
  protection: "authenticated",
  source: "session",
  trustAtCapture: "trusted",
  trustNow: "trusted",
  decisive: true,
});
const column = (obis: string, unit?: string) => ({
  channel: obis,
  obis,
  name: obis,
  ...(unit === undefined ? {} : { unit }),
});

test("power comes from a power column before the interval's energy before a register", () => {
  assert.equal(powerColumn([column("1-0:1.8.0", "Wh"), column("1-0:1.5.0", "W")], "import")?.index, 1);
  const energies = [column("1-0:1.8.0", "kWh"), column("1-0:1.29.0", "kWh")];
  assert.equal(powerColumn(energies, "import")?.reading, "interval-energy");
  assert.equal(powerColumn(energies, "export"), undefined);
  assert.equal(powerColumn([column("1-0:32.7.0", "V")], "import"), undefined);
});

test("a register gives mean power between neighbours and nothing over a gap", () => {
  const points = powerSeries({
    periodSeconds: 900,
    columns: [column("1-0:1.8.0", "Wh")],
    rows: [
      row("2026-11-21T12:30:00Z", 1250),
      row("2026-11-21T12:00:00Z", 1000),
      row("2026-11-21T12:15:00Z", 1100),
      row("2026-11-21T13:30:00Z", 9000),
      row("2026-11-21T13:45:00Z", null),
    ],
  });
  assert.deepEqual(
    points.map(({ powerW }) => powerW),
    [400, 600],
  );
});

test("the energy of an interval becomes its mean power in watts", () => {
  const [point] = powerSeries({
    periodSeconds: 900,
    columns: [column("1-0:1.29.0", "kWh")],
    rows: [row("2026-11-21T12:15:00Z", 0.103)],
  });
  assert.equal(point?.powerW, 412);
});

test("what is fed in counts against what is drawn, and half an answer is none", () => {
  const points = powerSeries({
    periodSeconds: 900,
    columns: [column("1-0:1.29.0", "Wh"), column("1-0:2.29.0", "Wh")],
    rows: [
      row("2026-11-21T12:00:00Z", 50, 0),
      row("2026-11-21T12:15:00Z", 0, 240),
      row("2026-11-21T12:30:00Z", 30, null),
    ],
  });
  assert.deepEqual(
    points.map(({ powerW }) => powerW),
    [200, -960],
  );
});

test("a sum exists only where every feeder has a value", () => {
  const { times, values } = alignSeries([
    [
      { time: 1, powerW: 10 },
      { time: 2, powerW: 20 },
    ],
    [{ time: 2, powerW: 5 }],
  ]);
  assert.deepEqual(times, [1, 2]);
  assert.deepEqual(values, [
    [10, 20],
    [null, 5],
  ]);
  assert.deepEqual(sumSeries(values), [null, 25]);
  assert.deepEqual(sumSeries([]), []);
});

test("labels that would overlap are moved apart, in order, above the floor", () => {
  assert.deepEqual(spread([50, 10, 52], 14, 300), [50, 10, 64]);
  assert.deepEqual(spread([100, 99], 14, 100), [100, 86]);
});

test("the span follows what was measured, in steps", () => {
  const start = spanStart(Date.parse("2026-11-21T13:40:00Z"), 24);
  assert.equal(start, "2026-11-20T12:00:00.000Z");
  assert.equal(nextStart(start, Date.parse("2026-11-21T23:00:00Z"), 24), start);
  assert.equal(nextStart(start, Date.parse("2026-11-22T09:00:00Z"), 24), "2026-11-21T06:00:00.000Z");
  assert.equal(nextStart(start, undefined, 24), start);
  const points = [{ time: 0 }, { time: 3600 }, { time: 90_000 }];
  assert.deepEqual(lastHours(points, 24), [{ time: 90_000 }]);
  assert.deepEqual(lastHours([], 24), []);
});
