import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../codec/codec.ts";
import { SensorManager } from "../cosem/classes/sensor-manager.ts";
import { data } from "../data/data.ts";
import { dateTimeAt } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { serveSensorManager, WatchedSensor } from "./sensor.ts";
import { askFor } from "./testing.test.ts";

const long = (value: number): Data => ({ type: "long", value });
const script = (scriptSelector: number) => ({ scriptLogicalName: "0.0.10.0.106.255", scriptSelector });
const actions = (up: number, down: number) => [{ actionUp: script(up), actionDown: script(down) }];

test("a sensor runs scripts when its raw value, or what was made of it, crosses a threshold", () => {
  const now = { raw: 10, processed: 100 };
  const ran: number[] = [];
  const sensor = new WatchedSensor({
    plate: {
      serialNumber: Uint8Array.of(0x31),
      metrologicalIdentification: new Uint8Array(0),
      outputType: 1,
      adjustmentMethod: new Uint8Array(0),
      sealingMethod: 2,
      scalerUnit: { scaler: -1, unit: 9 },
    },
    reading: () => ({ rawValue: long(now.raw), status: { type: "unsigned", value: 0 }, captureTime: dateTimeAt(0) }),
    raw: { thresholds: [long(20)], actions: actions(1, 2) },
    processed: {
      thresholds: [long(150)],
      actions: actions(3, 4),
      value: { classId: 3, logicalName: "7.0.41.0.0.255", attributeIndex: 2 },
    },
    read: () => encode(data, long(now.processed)),
    run: ({ scriptSelector }) => ran.push(scriptSelector),
  });
  const ask = askFor(
    SensorManager,
    serveSensorManager<undefined>(() => sensor),
  );
  for (const [raw, processed] of [
    [10, 100],
    [25, 100],
    [25, 160],
    [5, 90],
  ] as const) {
    Object.assign(now, { raw, processed });
    sensor.look();
  }
  assert.deepEqual(ran, [1, 3, 2, 4]);
  assert.deepEqual(ask.get("rawValue"), long(5));
  assert.deepEqual(ask.get("serialNumber"), Uint8Array.of(0x31));
  assert.equal(ask.set("serialNumber", Uint8Array.of(0x32)), "read-write-denied");
  assert.equal(ask.set("rawValueThresholds", [long(3)]), "success");
  assert.deepEqual(ask.get("rawValueThresholds"), [long(3)]);
});
