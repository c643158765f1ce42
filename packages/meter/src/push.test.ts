import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { describe, test } from "node:test";
import { apdu, type Data, decode, parseProtectedApdu, unprotectApdu } from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import { PushSchedule } from "./push-schedule.ts";
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

describe("the schedule of pushes", () => {
  test("announces a meter that comes up within a quarter hour, then reports every quarter hour to hour", () => {
    for (let seed = 0; seed < 50; seed++) {
      const schedule = new PushSchedule(seed);
      assert.equal(schedule.take(1e9), undefined, "silent before it is in the field");
      schedule.start(1000);
      const times: number[] = [];
      for (let at = 1000; times.length < 4; at++) if (schedule.take(at) === "report") times.push(at);
      assert.ok((times[0] ?? 0) <= 1900);
      const gaps = times.slice(1).map((time, n) => time - (times[n] ?? 0));
      for (const gap of gaps) assert.ok(gap >= 900 && gap <= 3601, `${gap} s`);
    }
  });

  test("lets an alarm out within seconds, and not another one right behind it", () => {
    const schedule = new PushSchedule(4);
    schedule.start(0);
    schedule.request("alarm", 2000);
    const taken = Array.from({ length: 12 }, (_, n) => schedule.take(2000 + n));
    assert.equal(taken.filter((kind) => kind === "alarm").length, 1);
    schedule.request("alarm", 2020);
    assert.ok(!Array.from({ length: 200 }, (_, n) => schedule.take(2020 + n)).includes("alarm"));
    schedule.request("alarm", 2400);
    assert.ok(Array.from({ length: 12 }, (_, n) => schedule.take(2400 + n)).includes("alarm"));
  });
});
