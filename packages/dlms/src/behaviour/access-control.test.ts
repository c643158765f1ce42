import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "../codec/codec.ts";
import { Arbitrator } from "../cosem/classes/arbitrator.ts";
import { ArrayManager } from "../cosem/classes/array-manager.ts";
import { CommunicationPortProtection } from "../cosem/classes/communication-port-protection.ts";
import { CompactData } from "../cosem/classes/compact-data.ts";
import { FunctionControl } from "../cosem/classes/function-control.ts";
import { ParameterMonitor } from "../cosem/classes/parameter-monitor.ts";
import { SpecialDaysTable } from "../cosem/classes/special-days-table.ts";
import { StatusMapping } from "../cosem/classes/status-mapping.ts";
import { bitString } from "../data/bit-string.ts";
import { data } from "../data/data.ts";
import { cosemDate, dateTime } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { ResourceArbitrator, serveArbitrator } from "./arbitrator.ts";
import { serveArrayManager } from "./array-manager.ts";
import { CompactCapture, compact, serveCompactData } from "./compact-data.ts";
import { FunctionSwitch, serveFunctionControl } from "./function-control.ts";
import { ObjectTree } from "./object-tree.ts";
import { ParameterWatch, serveParameterMonitor } from "./parameter-monitor.ts";
import {
  attemptFailed,
  attemptsForgiven,
  NO_FAILED_ATTEMPTS,
  type PortProtectionSettings,
  protectionStatus,
  servePortProtection,
} from "./port-protection.ts";
import { entryOfBit, serveStatusMapping } from "./status-mapping.ts";
import { askFor } from "./testing.test.ts";

const PORT: PortProtectionSettings = {
  protectionMode: "lockedOnFailedAttempts",
  allowedFailedAttempts: 3,
  initialLockoutTime: 60,
  steepnessFactor: 2,
  maxLockoutTime: 200,
  portReference: "0.0.25.0.0.255",
};

test("after the attempts that are allowed each lock-out lasts longer than the one before, up to the longest", () => {
  let state = NO_FAILED_ATTEMPTS;
  const lockouts: number[] = [];
  for (let attempt = 1; attempt <= 7; attempt += 1) {
    state = attemptFailed(state, PORT, 1000);
    lockouts.push(Math.max(0, (state.lockedUntil - 1000) / 1000));
  }
  assert.deepEqual(lockouts, [0, 0, 0, 60, 120, 200, 200]);
  assert.equal(protectionStatus(state, PORT, 200_999), "temporarilyLocked");
  assert.equal(protectionStatus(state, PORT, 201_000), "unlocked");
  const forgiven = attemptsForgiven(state);
  assert.deepEqual(forgiven, { failedAttempts: 0, cumulativeFailedAttempts: 7, lockedUntil: 0 });
});

test("a port can be locked or unlocked for good, whatever fails on it", () => {
  const failed = [1, 2, 3, 4, 5].reduce(
    (state) => attemptFailed(state, { ...PORT, protectionMode: "unlocked" }, 0),
    NO_FAILED_ATTEMPTS,
  );
  assert.equal(failed.lockedUntil, 0);
  assert.equal(protectionStatus(failed, { protectionMode: "unlocked" }, 0), "unlocked");
  assert.equal(protectionStatus(NO_FAILED_ATTEMPTS, { protectionMode: "locked" }, 0), "locked");
});

test("the protection of a port is read, set up and reset by its object", () => {
  const meter = { settings: PORT, state: attemptFailed(NO_FAILED_ATTEMPTS, { ...PORT, allowedFailedAttempts: 0 }, 0) };
  const ask = askFor(
    CommunicationPortProtection,
    servePortProtection<undefined>({
      settings: () => meter.settings,
      change: (settings) => {
        meter.settings = settings;
      },
      read: () => meter.state,
      keep: (state) => {
        meter.state = state;
      },
      now: () => 1000,
    }),
  );
  assert.equal(ask.get("protectionStatus"), "temporarilyLocked");
  assert.equal(ask.set("allowedFailedAttempts", 9), "success");
  assert.equal(ask.get("allowedFailedAttempts"), 9);
  assert.equal(ask.set("failedAttempts", 0), "read-write-denied");
  assert.equal(ask.call("reset"), "success");
  assert.deepEqual(
    [ask.get("protectionStatus"), ask.get("failedAttempts"), ask.get("cumulativeFailedAttempts")],
    ["unlocked", 0, 1],
  );
});

test("the arbitrator runs the action that weighs most, asks permission first and is silent in a draw", () => {
  const ran: number[] = [];
  const script = (scriptSelector: number) => ({ scriptLogicalName: "0.0.10.0.106.255", scriptSelector });
  const arbitrator = new ResourceArbitrator(
    {
      actions: [script(1), script(2)],
      permissionsTable: [bitString("11"), bitString("10")],
      weightingsTable: [
        [1, 5],
        [5, 0],
      ],
    },
    ({ scriptSelector }) => ran.push(scriptSelector),
  );
  const ask = askFor(
    Arbitrator,
    serveArbitrator<undefined>(() => arbitrator),
  );
  const request = (requestActor: number, bits: string) =>
    ask.call("requestAction", { requestActor, requestActionList: bitString(bits) });
  assert.equal(request(2, "01"), "other-reason", "not permitted");
  assert.equal(request(3, "10"), "other-reason", "no such actor");
  assert.equal(request(1, "111"), "other-reason", "no such action");
  assert.equal(request(1, "01"), "success");
  assert.deepEqual([ran.splice(0), ask.get("lastOutcome")], [[2], 2]);
  assert.equal(request(2, "10"), "success");
  assert.deepEqual(ran.splice(0), [], "five against five");
  assert.equal(request(1, "10"), "success");
  assert.deepEqual([ran.splice(0), ask.get("lastOutcome")], [[1], 1]);
  assert.equal(ask.call("reset"), "success");
  assert.equal(ask.get("lastOutcome"), 0);
});

const text = (value: string) => new TextEncoder().encode(value);

test("functions are switched, added and removed; objects of a function that is off are off", () => {
  const own = { classId: 3, logicalName: "1.0.2.8.0.255" };
  const functions = new FunctionSwitch([{ functionName: text("export"), functionSpecifications: [own], active: true }]);
  const ask = askFor(
    FunctionControl,
    serveFunctionControl<undefined>(() => functions),
  );
  const status = (name: string, functionStatus: boolean) =>
    ask.call("setFunctionStatus", [{ functionName: text(name), functionStatus }]);
  assert.equal(status("import", false), "other-reason");
  assert.equal(status("export", false), "success");
  assert.ok(functions.isOff(3, "1.0.2.8.0.255"));
  assert.ok(!functions.isOff(3, "1.0.1.8.0.255"));
  assert.equal(ask.call("addFunction", { functionName: text("grid"), functionSpecifications: [own] }), "success");
  assert.ok(!functions.isOff(3, "1.0.2.8.0.255"), "another function that is on has it too");
  assert.equal(ask.call("removeFunction", text("grid")), "success");
  assert.equal(ask.call("removeFunction", text("grid")), "other-reason");
});

test("an array manager reads and edits arrays entry by entry, with the rights of the array", () => {
  const meter: { days: readonly { index: number; specialDayDate: ReturnType<typeof cosemDate>; dayId: number }[] } = {
    days: [],
  };
  const days = SpecialDaysTable.serve<undefined>({
    get: { entries: () => meter.days },
    set: {
      entries: (entries) => {
        meter.days = entries;
      },
    },
  });
  const tree = new ObjectTree<undefined>([{ logicalName: "0.0.11.0.0.255", served: days }], undefined);
  const arrayObject = { classId: 11, logicalName: "0.0.11.0.0.255", attributeIndex: 2 };
  const rights = { write: true };
  const ask = askFor(
    ArrayManager,
    serveArrayManager<undefined>({
      arrays: () => [{ arrayObjectId: 1, arrayObject }],
      tree: () => tree,
      mayAccess: (_, access) => access === "read" || rights.write,
    }),
  );
  const entry = (index: number): Data => {
    const codec = SpecialDaysTable.methods.insert.parameter;
    return decode(data, encode(codec, { index, specialDayDate: cosemDate({ month: 12, dayOfMonth: 25 }), dayId: 1 }));
  };
  const edit = (method: string, entryIndex: number, value: Data) =>
    ask.call(method, { arrayObjectId: 1, entry: { entryIndex, entry: value } });
  assert.equal(edit("insertEntry", 0, entry(1)), "success");
  assert.equal(edit("insertEntry", 1, entry(2)), "success");
  assert.deepEqual(
    meter.days.map(({ index }) => index),
    [2, 1],
  );
  assert.equal(edit("updateEntry", 2, entry(3)), "success");
  assert.equal(edit("updateEntry", 3, entry(3)), "other-reason");
  assert.equal(edit("insertEntry", 0, { type: "unsigned", value: 1 }), "type-unmatched", "no special day");
  assert.equal(ask.call("retrieveNumberOfEntries", 1), 2);
  const range = { arrayObjectId: 1, entries: { fromEntry: 2, toEntry: 9 } };
  assert.equal((ask.call("retrieveEntries", range) as unknown[]).length, 1);
  rights.write = false;
  assert.equal(ask.call("removeEntries", range), "other-reason");
  rights.write = true;
  assert.equal(ask.call("removeEntries", range), "success");
  assert.equal(ask.call("retrieveNumberOfEntries", 2), "other-reason", "no such array");
  assert.deepEqual(
    meter.days.map(({ index }) => index),
    [2],
  );
});

test("compact data is values without types and types without values", () => {
  const values: Data[] = [
    { type: "unsigned", value: 7 },
    { type: "octet-string", value: Uint8Array.of(1, 2) },
    { type: "structure", value: [{ type: "long", value: -1 }] },
    {
      type: "array",
      value: [
        { type: "unsigned", value: 5 },
        { type: "unsigned", value: 6 },
      ],
    },
  ];
  const { buffer, template } = compact(values);
  assert.deepEqual([...buffer], [7, 2, 1, 2, 0xff, 0xff, 5, 6]);
  assert.deepEqual([...template], [2, 4, 17, 9, 2, 1, 16, 1, 0, 2, 17]);
  const object = { classId: 3, logicalName: "1.0.1.8.0.255", attributeIndex: 2, dataIndex: 0 };
  const none = { restrictionType: "none", restrictionValue: { type: "null-data", value: null } } as const;
  let reading = 1;
  const capture = new CompactCapture(
    { captureObjects: [{ ...object, restriction: none, columns: [] }], templateId: 1, captureMethod: "invoke" },
    () => encode(data, { type: "unsigned", value: reading }),
  );
  const ask = askFor(
    CompactData,
    serveCompactData<undefined>(() => capture),
  );
  assert.deepEqual(ask.get("compactBuffer"), new Uint8Array(0));
  assert.equal(ask.call("capture"), "success");
  reading = 2;
  assert.deepEqual(ask.get("compactBuffer"), Uint8Array.of(1));
  assert.equal(ask.set("captureMethod", "implicit"), "success");
  assert.deepEqual(ask.get("compactBuffer"), Uint8Array.of(2));
});

test("a parameter monitor tells the last change and a digest over all its parameters", () => {
  const clock = { classId: 8, logicalName: "0.0.1.0.0.255", attributeIndex: 3 };
  const limit = { classId: 71, logicalName: "0.0.17.0.0.255", attributeIndex: 4 };
  const watch = new ParameterWatch({
    parameters: [clock],
    listName: text("settings"),
    hashAlgorithm: 0,
    digest: (octets) => octets.slice(0, 2),
    read: ({ classId }) => encode(data, { type: "unsigned", value: classId }),
  });
  const ask = askFor(
    ParameterMonitor,
    serveParameterMonitor<undefined>(() => watch),
  );
  watch.changed(limit, encode(data, { type: "unsigned", value: 1 }), dateTime({ year: 2026 }));
  assert.equal((ask.get("changedParameter") as { classId: number }).classId, 0, "it is not in the list");
  assert.equal(ask.call("addParameter", limit), "success");
  watch.changed(limit, encode(data, { type: "unsigned", value: 1 }), dateTime({ year: 2026 }));
  assert.deepEqual(ask.get("changedParameter"), { ...limit, attributeValue: { type: "unsigned", value: 1 } });
  assert.deepEqual(ask.get("parameterValueDigest"), Uint8Array.of(17, 8));
  assert.equal((ask.get("parameterValues") as { value: unknown[] }).value.length, 2);
  assert.equal(ask.call("deleteParameter", clock), "success");
  assert.equal(ask.call("deleteParameter", clock), "other-reason");
});

test("a status mapping says whose bits they are", () => {
  const ask = askFor(
    StatusMapping,
    serveStatusMapping<undefined>({
      statusWord: () => ({ type: "unsigned", value: 5 }),
      mapping: () => ({ referenceTableId: 1, entries: 100 }),
    }),
  );
  assert.deepEqual(ask.get("mappingTable"), {
    referenceTableId: 1,
    referenceTableMapping: { kind: "firstEntry", value: 100 },
  });
  assert.equal(entryOfBit({ referenceTableId: 1, entries: 100 }, 2), 102);
  assert.equal(entryOfBit({ referenceTableId: 1, entries: [4, 9] }, 1), 9);
  assert.equal(entryOfBit({ referenceTableId: 1, entries: [4, 9] }, 2), undefined);
});
