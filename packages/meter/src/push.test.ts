import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { describe, test } from "node:test";
import {
  apdu,
  type Data,
  dateTime,
  dateTimeAt,
  decode,
  type PushSettings,
  parseProtectedApdu,
  unprotectApdu,
} from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import { type PushKind, PushSchedule } from "./push-schedule.ts";
import { changePushSettings, pushSettings } from "./push-setup.ts";
import { type BenchMeter, benchMeter } from "./testing/bench.ts";

function opened(bench: BenchMeter, octets: Uint8Array): { tag: string; counter: number; body: readonly Data[] } {
  const { keys, systemTitle } = bench.record;
  const parsed = parseProtectedApdu(octets);
  assert.equal(parsed.form, "general-global");
  assert.equal(
    Buffer.from(parsed.originator ?? [])
      .toString("hex")
      .toUpperCase(),
    systemTitle,
  );
  const protection = {
    encryption: createSecretKey(keys.globalUnicastEncryptionKey),
    authentication: keys.authenticationKey,
  };
  const { plain, tag, counter } = unprotectApdu(nodeCiphers, protection, parsed, undefined);
  const notification = decode(apdu, plain);
  assert.equal(notification.kind, "data-notification");
  assert.ok(notification.kind === "data-notification" && notification.value.body.type === "structure");
  return { tag, counter, body: notification.value.body.value };
}

function text(item: Data | undefined): string {
  assert.ok(item?.type === "octet-string");
  return Buffer.from(item.value).toString("ascii");
}

describe("a push", () => {
  test("names the meter first, carries its registers and is authenticated", () => {
    const bench = benchMeter();
    const { tag, body } = opened(bench, bench.meter.buildPush("report"));
    assert.equal(tag, "verified");
    assert.equal(text(body[0]), bench.record.logicalDeviceName);
    const { importWh, exportWh } = bench.meter.consumption.registers(bench.now);
    assert.deepEqual(body.slice(2), [
      { type: "double-long-unsigned", value: importWh },
      { type: "double-long-unsigned", value: exportWh },
      { type: "double-long-unsigned", value: bench.meter.consumption.powerW(bench.now) },
    ]);
  });

  test("has a counter that rises from push to push and over a power cut", () => {
    const bench = benchMeter();
    const first = opened(bench, bench.meter.buildPush("report")).counter;
    const second = opened(bench, bench.meter.buildPush("report")).counter;
    bench.memory.commit();
    const third = opened(bench, bench.restarted().meter.buildPush("report")).counter;
    assert.ok(first < second && second < third);
  });

  test("of a meter without a tag is confidential and proves nothing", () => {
    const bench = benchMeter({ profile: "dsmr-5", pushProtection: "encrypted" });
    const { tag, body } = opened(bench, bench.meter.buildPush("report"));
    assert.equal(tag, "absent");
    assert.equal(body.length, 4);
  });

  test("of an alarm carries the alarm register", () => {
    const bench = benchMeter();
    bench.meter.log("replay", bench.now);
    const { body } = opened(bench, bench.meter.buildPush("alarm"));
    assert.deepEqual(body.at(-1), { type: "double-long-unsigned", value: 1 << 13 });
    bench.meter.clearAlarms(1 << 13);
    assert.equal(bench.meter.alarms, 0);
  });
});

/** The schedule of a meter on a bench, stepped by the second: when it wants what sent. */
function scheduled(seed: number, changes: Partial<PushSettings> = {}) {
  const settings = (kind: PushKind) => ({ ...pushSettings(benchMeter().meter, kind), ...changes });
  const known = { report: settings("report"), alarm: settings("alarm") };
  const schedule = new PushSchedule({
    seed,
    settings: (kind) => known[kind],
    localTime: (instant) => dateTimeAt(instant),
  });
  /** The times from `from` to `to` at which a push of the kind left; each is settled as told. */
  const sent = (kind: PushKind, from: number, to: number, outcome: "sent" | "failed" = "sent"): number[] => {
    const times: number[] = [];
    for (let at = from; at <= to; at += 1) {
      const taken = schedule.take(at);
      if (taken !== undefined) schedule.settle(taken, outcome, at);
      if (taken === kind) times.push(at);
    }
    return times;
  };
  return { schedule, sent };
}

describe("the schedule of pushes", () => {
  test("announces a meter that comes up within a quarter hour, then reports every quarter hour to hour", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { schedule, sent } = scheduled(seed);
      assert.equal(schedule.take(1e9), undefined, "silent before it is in the field");
      schedule.start(1000);
      const times = sent("report", 1000, 15_000);
      assert.ok((times[0] ?? 0) <= 1900 && times.length > 3);
      const gaps = times.slice(1).map((time, n) => time - (times[n] ?? 0));
      for (const gap of gaps) assert.ok(gap >= 900 && gap <= 3602, `${gap} s`);
    }
  });

  test("lets an alarm out within seconds, and not another one right behind it", () => {
    const { schedule, sent } = scheduled(4);
    schedule.start(0);
    schedule.request("alarm", 2000);
    assert.equal(sent("alarm", 2000, 2012).length, 1);
    schedule.request("alarm", 2020);
    assert.deepEqual(sent("alarm", 2020, 2220), []);
    schedule.request("alarm", 2400);
    assert.equal(sent("alarm", 2400, 2412).length, 1);
  });

  test("sends at once what is asked for at once", () => {
    const { schedule, sent } = scheduled(4);
    schedule.start(0);
    schedule.request("report", 1, true);
    assert.deepEqual(sent("report", 1, 10), [1]);
  });

  test("tries again as its push setup says, then gives up until the next report", () => {
    const { schedule, sent } = scheduled(4, {
      numberOfRetries: 2,
      repetitionDelay: { min: 30, exponent: 100, max: 30 },
      randomisationStartInterval: 0,
    });
    schedule.start(1000);
    assert.deepEqual(sent("report", 1000, 1899, "failed"), [1000, 1030, 1060]);
    assert.ok(sent("report", 1900, 5000).length > 0);
  });

  test("waits for the window in which it may communicate", () => {
    const at = (hour: number) => dateTime({ hour, minute: 0, second: 0 });
    const { schedule, sent } = scheduled(4, { communicationWindow: [{ startTime: at(3), endTime: at(4) }] });
    schedule.start(0);
    const times = sent("report", 0, 86_399);
    assert.ok(times.length > 0 && times.every((time) => time >= 3 * 3600 && time < 4 * 3600), String(times));
  });
});

describe("the push setups", () => {
  test("can be changed by the management client, keep what they were told, and send what they list", () => {
    const bench = benchMeter();
    const objects = [
      { classId: 1, logicalName: "0.0.96.1.0.255", attributeIndex: 2, dataIndex: 0 },
      { classId: 3, logicalName: "9.9.9.9.9.9", attributeIndex: 2, dataIndex: 0 },
    ];
    const changed = { ...pushSettings(bench.meter, "report"), pushObjectList: objects, numberOfRetries: 9 };
    assert.equal(changePushSettings(changed, bench.meter, "report"), undefined);
    bench.memory.commit();
    const { meter } = bench.restarted();
    const { body } = opened(bench, meter.buildPush("report"));
    assert.equal(text(body[0]), bench.record.serialNumber);
    assert.equal(body[1]?.type, "null-data", "what is not there is nothing");
    assert.equal(pushSettings(meter, "report").numberOfRetries, 9);
    assert.equal(pushSettings(meter, "alarm").numberOfRetries, 5, "each has its own");
  });

  test("refuse a destination that is none, and another way of sending", () => {
    const { meter } = benchMeter();
    const settings = pushSettings(meter, "report");
    const to = (destination: string, more: object = {}) =>
      changePushSettings(
        { ...settings, destination: { ...settings.destination, destination: Buffer.from(destination), ...more } },
        meter,
        "report",
      );
    for (const bad of ["nowhere", "host:70000", "a b:1", ""]) assert.ok(to(bad) !== undefined, bad);
    assert.ok(to("127.0.0.1:4059", { transportService: "sms" }) !== undefined);
    assert.equal(to("head-end.example:4059"), undefined);
    assert.equal(meter.pushDestination, "head-end.example:4059");
  });
});
