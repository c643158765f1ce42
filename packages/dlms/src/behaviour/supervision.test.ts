import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../codec/codec.ts";
import { DataClass } from "../cosem/classes/data-class.ts";
import { Limiter } from "../cosem/classes/limiter.ts";
import { RegisterMonitor } from "../cosem/classes/register-monitor.ts";
import { ScriptTable } from "../cosem/classes/script-table.ts";
import { SingleActionSchedule } from "../cosem/classes/single-action-schedule.ts";
import type { LogicalName } from "../cosem/logical-name.ts";
import { data } from "../data/data.ts";
import { dateTime, dateTimeAt, instantOf } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { ActionSchedule, serveActionSchedule } from "./action-schedule.ts";
import { LoadLimiter, serveLimiter } from "./limiter.ts";
import { ObjectTree } from "./object-tree.ts";
import { serveRegisterMonitor, ThresholdMonitor } from "./register-monitor.ts";
import { ScriptRunner, type Scripts, serveScriptTable } from "./script-table.ts";
import { askFor } from "./testing.test.ts";

const POWER = { classId: 3, logicalName: "1.0.1.7.0.255", attributeIndex: 2 };
const script = (scriptSelector: number) => ({ scriptLogicalName: "0.0.10.0.106.255", scriptSelector });
const watts = (value: number): Data => ({ type: "double-long-unsigned", value });

test("the limiter acts when the value was over its threshold for long enough, once, and again when it is under", () => {
  const meter = { power: 0 };
  const ran: number[] = [];
  const limiter = new LoadLimiter({
    settings: {
      monitoredValue: POWER,
      thresholdNormal: watts(5000),
      thresholdEmergency: watts(1000),
      minOverThresholdDuration: 60,
      minUnderThresholdDuration: 30,
      emergencyProfileGroupIdList: [7],
      actionOverThreshold: script(1),
      actionUnderThreshold: script(2),
    },
    read: () => encode(data, watts(meter.power)),
    run: ({ scriptSelector }) => ran.push(scriptSelector),
    instantOf: (time) => instantOf(time, 0),
  });
  const at = (second: number, power: number) => {
    meter.power = power;
    limiter.tick(second * 1000);
    return ran.splice(0);
  };
  assert.deepEqual(at(0, 0), [], "it was never over");
  assert.deepEqual(at(40, 0), []);
  assert.deepEqual(at(50, 6000), []);
  assert.deepEqual(at(100, 4000), [], "a short peak");
  assert.deepEqual(at(110, 6000), []);
  assert.deepEqual(at(169, 6000), []);
  assert.deepEqual(at(170, 6000), [1]);
  assert.deepEqual(at(300, 6000), []);
  assert.deepEqual(at(310, 0), []);
  assert.deepEqual(at(340, 0), [2]);
  const ask = askFor(
    Limiter,
    serveLimiter<undefined>(() => limiter),
  );
  const start = dateTimeAt(400_000);
  const profile = (emergencyProfileId: number) => ({
    emergencyProfileId,
    emergencyActivationTime: start,
    emergencyDuration: 100,
  });
  assert.equal(ask.set("emergencyProfile", profile(8)), "success");
  at(420, 2000);
  assert.equal(ask.get("emergencyProfileActive"), false, "not of its group");
  assert.equal(ask.set("emergencyProfile", profile(7)), "success");
  at(430, 2000);
  assert.equal(ask.get("emergencyProfileActive"), true);
  assert.deepEqual(ask.get("thresholdActive"), watts(1000));
  assert.deepEqual(at(490, 2000), [1]);
  at(500, 2000);
  assert.equal(ask.get("emergencyProfileActive"), false, "its time is over");
  assert.equal(ask.set("thresholdNormal", { type: "octet-string", value: new Uint8Array(1) }), "type-unmatched");
});

test("a monitor runs a script for each threshold that the value crosses, upwards and downwards", () => {
  const meter = { value: 10 };
  const ran: number[] = [];
  const monitor = new ThresholdMonitor({
    settings: {
      thresholds: [watts(20), watts(50)],
      monitoredValue: POWER,
      actions: [
        { actionUp: script(1), actionDown: script(2) },
        { actionUp: script(3), actionDown: script(4) },
      ],
    },
    read: () => encode(data, watts(meter.value)),
    run: ({ scriptSelector }) => ran.push(scriptSelector),
  });
  const look = (value: number) => {
    meter.value = value;
    monitor.look();
    return ran.splice(0);
  };
  assert.deepEqual([look(10), look(20), look(25), look(60), look(19)], [[], [1], [], [3], [2, 4]]);
  const ask = askFor(
    RegisterMonitor,
    serveRegisterMonitor<undefined>(() => monitor),
  );
  assert.equal(ask.set("thresholds", [watts(5)]), "success");
  assert.deepEqual([look(3), look(6)], [[], [1]]);
});

test("a script writes attributes and calls methods; loops of scripts end", () => {
  const state = { value: 0 };
  const SCRIPTS: LogicalName = "0.0.10.0.0.255";
  const write = (value: number) =>
    ({ serviceId: "write", classId: 1, logicalName: "0.0.96.1.0.255", index: 2, parameter: watts(value) }) as const;
  const execute = (selector: number) =>
    ({
      serviceId: "execute",
      classId: 9,
      logicalName: SCRIPTS,
      index: 1,
      parameter: { type: "long-unsigned", value: selector },
    }) as const;
  const scripts: Scripts = [
    { scriptIdentifier: 1, actions: [write(5)] },
    { scriptIdentifier: 2, actions: [write(6), { ...write(1), index: 9 }] },
    { scriptIdentifier: 3, actions: [execute(3)] },
    { scriptIdentifier: 4, actions: [execute(1)] },
  ];
  const runner: ScriptRunner<undefined> = new ScriptRunner<undefined>(
    (name) => (name === SCRIPTS ? scripts : undefined),
    () => tree,
  );
  const table = serveScriptTable<undefined>({ scripts: () => scripts, run: (one) => runner.run(one) });
  const value = DataClass.serve<undefined>({
    get: { value: () => watts(state.value) },
    set: { value: (written) => (state.value = Number(written.value)) },
  });
  const tree: ObjectTree<undefined> = new ObjectTree<undefined>(
    [
      { logicalName: "0.0.96.1.0.255", served: value },
      { logicalName: SCRIPTS, served: table },
    ],
    undefined,
  );
  const ask = askFor(ScriptTable, table);
  assert.equal(ask.call("execute", 1), "success");
  assert.equal(state.value, 5);
  assert.equal(ask.call("execute", 2), "other-reason", "one action failed, the others ran");
  assert.equal(state.value, 6);
  assert.equal(ask.call("execute", 4), "success");
  assert.equal(state.value, 5);
  assert.equal(ask.call("execute", 3), "other-reason");
  assert.equal(ask.call("execute", 9), "other-reason");
  assert.equal(ask.call("execute", 0), "success", "number 0 is nothing");
});

test("a schedule runs at its times, with wildcards daily, and makes up for a pause once", () => {
  const ran: number[] = [];
  const daily = { time: { hour: 6, minute: 0, second: 0, hundredths: undefined }, date: dateTime({}) };
  const schedule = new ActionSchedule({
    settings: { executedScript: script(1), type: 1, executionTime: [daily] },
    run: ({ scriptSelector }) => ran.push(scriptSelector),
    localTime: (instant) => dateTimeAt(instant),
  });
  const at = (hour: number, minute = 0) => {
    schedule.tick(Date.UTC(2026, 10, 21, hour, minute));
    return ran.splice(0).length;
  };
  assert.deepEqual([at(5, 59), at(6, 0), at(6, 1), at(29, 59), at(30, 0), at(70, 0)], [0, 1, 0, 0, 1, 1]);
  const ask = askFor(
    SingleActionSchedule,
    serveActionSchedule<undefined>(() => schedule),
  );
  assert.equal(ask.set("executionTime", [daily, daily]), "other-reason", "type 1 has one time");
  assert.equal(ask.set("type", 2), "other-reason", "type 2 has no wildcards");
  assert.equal(ask.set("type", 3), "success");
  assert.equal(ask.set("executionTime", [daily, daily]), "success");
  assert.equal(ask.set("type", 9), "other-reason");
});
