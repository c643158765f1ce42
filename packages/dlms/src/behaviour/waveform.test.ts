import assert from "node:assert/strict";
import { test } from "node:test";
import { MeasurementDataMonitoring } from "../cosem/classes/measurement-data-monitoring.ts";
import type { Data } from "../data/value.ts";
import { askFor } from "./testing.test.ts";
import { serveMeasurementMonitoring, WaveformRecorder } from "./waveform.ts";

test("samples before and after a trigger stand still until they are reset", () => {
  const recorder = new WaveformRecorder({
    samplingRate: 8000,
    samplesBeforeTrigger: 2,
    samplesAfterTrigger: 3,
    scalerUnit: { scaler: -1, unit: 35 },
    now: () => 42n,
  });
  const ask = askFor(
    MeasurementDataMonitoring,
    serveMeasurementMonitoring<undefined>(() => recorder),
  );
  const samples = () => {
    const shown = ask.get("waveformData") as Extract<Data, { type: "compact-array" }>;
    return shown.value.items.map(({ value }) => value);
  };
  for (let value = 0; value < 100; value += 1) recorder.sample(value);
  assert.equal(ask.call("trigger", 0), "success");
  assert.equal(ask.get("status"), 1);
  recorder.sample(100);
  recorder.sample(101);
  assert.deepEqual(samples(), [], "not before they are complete");
  recorder.sample(102);
  recorder.sample(103);
  assert.deepEqual(samples(), [98, 99, 100, 101, 102]);
  assert.equal(ask.get("triggerTime"), 42n);
  assert.equal(ask.call("trigger", 0), "temporary-failure");
  assert.equal(ask.call("reset", 0), "success");
  assert.equal(ask.get("status"), 0);
  assert.equal(ask.set("numberOfSamplesBeforeTrigger", 1_000_000), "other-reason");
  assert.equal(ask.set("numberOfSamplesBeforeTrigger", 0), "success");
  recorder.sample(1);
  ask.call("trigger", 0);
  for (const value of [2, 3, 4]) recorder.sample(value);
  assert.deepEqual(samples(), [2, 3, 4]);
});
