import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../codec/codec.ts";
import { ProfileGeneric } from "../cosem/classes/profile-generic.ts";
import type { CaptureObject } from "../cosem/structures.ts";
import { data } from "../data/data.ts";
import { dateTime, dateTimeAt, dateTimeOctets } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { ProfileBuffer, type ProfileSettings, serveProfileBuffer } from "./profile-buffer.ts";
import { askFor } from "./testing.test.ts";

const CLOCK: CaptureObject = { classId: 8, logicalName: "0.0.1.0.0.255", attributeIndex: 2, dataIndex: 0 };
const ENERGY: CaptureObject = { classId: 3, logicalName: "1.0.1.8.0.255", attributeIndex: 2, dataIndex: 0 };
const START = Date.UTC(2026, 10, 21);

function profile(settings: Partial<ProfileSettings> = {}, nullCompression = false) {
  const meter = { now: START, value: 0 };
  const buffer = new ProfileBuffer({
    settings: {
      captureObjects: [CLOCK, ENERGY],
      capturePeriod: 900,
      sortMethod: "fifo",
      sortObject: ENERGY,
      profileEntries: 4,
      ...settings,
    },
    capture: ({ classId }) =>
      encode(
        data,
        classId === 8
          ? { type: "octet-string", value: encode(dateTimeOctets, dateTimeAt(meter.now)) }
          : { type: "double-long", value: meter.value },
      ),
    deviation: () => 0,
    nullCompression,
  });
  const ask = askFor(
    ProfileGeneric,
    serveProfileBuffer<undefined>(() => buffer),
  );
  const values = (selection?: { kind: string; value: unknown }) => {
    const rows = ask.get("buffer", selection);
    return Array.isArray(rows)
      ? (rows as Extract<Data, { type: "structure" }>[]).map(({ value }) => value.at(-1)?.value)
      : rows;
  };
  const fill = (...wanted: number[]) => {
    for (const value of wanted) {
      meter.now += 900_000;
      meter.value = value;
      buffer.capture();
    }
  };
  return { meter, buffer, ask, values, fill };
}

test("each sort method keeps the rows that it wants, in its order", () => {
  for (const [sortMethod, kept] of [
    ["fifo", [-1, 5, 2, 9]],
    ["lifo", [9, 2, 5, -1]],
    ["largest", [9, 5, 3, 2]],
    ["smallest", [-7, -1, 2, 3]],
    ["nearestToZero", [-1, 2, 3, 5]],
    ["farthestFromZero", [9, -7, 5, 3]],
  ] as const) {
    const { fill, values } = profile({ sortMethod });
    fill(3, -7, -1, 5, 2, 9);
    assert.deepEqual(values(), kept, sortMethod);
  }
});

test("rows are selected by a range of the clock or of a value, both ends included, and by number", () => {
  const { fill, values } = profile();
  fill(1, 2, 3, 4);
  const at = (minutes: number): Data => ({
    type: "octet-string",
    value: encode(dateTimeOctets, dateTimeAt(START + minutes * 60_000)),
  });
  const open: Data = { type: "octet-string", value: encode(dateTimeOctets, dateTime({})) };
  const range = (
    restrictingObject: CaptureObject,
    fromValue: Data,
    toValue: Data,
    selectedValues: CaptureObject[] = [],
  ) => values({ kind: "range", value: { restrictingObject, fromValue, toValue, selectedValues } });
  assert.deepEqual(range(CLOCK, at(30), at(45)), [2, 3]);
  assert.deepEqual(range(CLOCK, open, at(20)), [1]);
  assert.deepEqual(range(ENERGY, { type: "unsigned", value: 3 }, { type: "unsigned", value: 9 }), [3, 4]);
  assert.deepEqual(range(CLOCK, open, open, [ENERGY]), [1, 2, 3, 4]);
  const other = { ...ENERGY, logicalName: "1.0.2.8.0.255" };
  assert.equal(range(other, open, open), "scope-of-access-violated");
  assert.equal(range(CLOCK, open, open, [other]), "scope-of-access-violated");
  const entry = (fromEntry: number, toEntry: number) =>
    values({ kind: "entry", value: { fromEntry, toEntry, fromSelectedValue: 1, toSelectedValue: 0 } });
  assert.deepEqual(entry(2, 3), [2, 3]);
  assert.deepEqual(entry(3, 0), [3, 4]);
  assert.deepEqual(entry(9, 12), []);
});

test("with null compression a row says only what the row before does not", () => {
  const { fill, values, ask } = profile({}, true);
  fill(7, 7, 8);
  assert.deepEqual(values(), [7, null, 8]);
  const rows = ask.get("buffer") as Extract<Data, { type: "structure" }>[];
  assert.deepEqual(
    rows.map(({ value }) => value[0]?.type),
    ["octet-string", "null-data", "null-data"],
  );
});

test("it captures when a period has passed, and not before", () => {
  const { buffer } = profile();
  buffer.tick(START + 100_000);
  buffer.tick(START + 800_000);
  assert.equal(buffer.entriesInUse, 0);
  buffer.tick(START + 900_000);
  buffer.tick(START + 1_000_000);
  assert.equal(buffer.entriesInUse, 1);
});

test("a change of what it captures empties it", () => {
  const { ask, fill } = profile();
  fill(1, 2);
  assert.equal(ask.get("entriesInUse"), 2);
  assert.equal(ask.set("captureObjects", [CLOCK]), "success");
  assert.equal(ask.get("entriesInUse"), 0);
  assert.equal(ask.call("capture"), "success");
  assert.equal(ask.get("entriesInUse"), 1);
  assert.equal(ask.call("reset"), "success");
  assert.equal(ask.get("entriesInUse"), 0);
});
