import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { benchMeter } from "./testing/bench.ts";

describe("the supply", () => {
  test("goes off and on with the relay, and the load with it", () => {
    const bench = benchMeter();
    const { meter } = bench;
    assert.ok(meter.consumption.powerW(bench.now) > 0);
    assert.ok(meter.supply?.disconnect(bench.now));
    assert.equal(meter.supply?.state, "disconnected");
    assert.equal(meter.consumption.powerW(bench.now), 0);
    assert.equal(meter.suppliedAt(bench.now), false);
    bench.now += 3600;
    assert.ok(meter.supply?.reconnect(bench.now));
    assert.equal(meter.supply?.state, "connected");
    assert.ok(meter.consumption.powerW(bench.now) > 0);
    const codes = meter.events.of(2).map(({ code }) => code);
    assert.deepEqual(codes, [62, 63]);
  });

  test("stays off over a power cut once it was committed, and on where it was not", () => {
    const bench = benchMeter();
    bench.meter.supply?.disconnect(bench.now);
    assert.equal(bench.restarted().meter.supply?.connected, true);
    bench.memory.commit();
    const again = bench.restarted().meter;
    assert.equal(again.supply?.connected, false);
    assert.equal(again.consumption.powerW(bench.now), 0);
    assert.deepEqual(
      again.events.of(2).map(({ code }) => code),
      [62],
    );
  });

  test("waits for somebody at the meter where the mode says so, and never opens in mode 0", () => {
    const bench = benchMeter();
    const { meter } = bench;
    meter.changeSettings({ ...meter.settings, disconnectMode: 3 });
    assert.ok(meter.supply?.disconnect(bench.now));
    assert.ok(meter.supply?.reconnect(bench.now));
    assert.equal(meter.supply?.state, "readyForReconnection");
    assert.equal(meter.suppliedAt(bench.now), false);
    const other = benchMeter();
    other.meter.changeSettings({ disconnectMode: 0 });
    assert.equal(other.meter.supply?.disconnect(other.now), false);
    assert.equal(other.meter.supply?.connected, true);
  });

  test("is opened by the limiter after its time over the threshold, not before", () => {
    const bench = benchMeter({}, "heatPump");
    const { meter } = bench;
    assert.equal(meter.supply?.watches, false);
    meter.changeSettings({ ...meter.settings, limiterThresholdW: 5, limiterSeconds: 30 });
    assert.equal(meter.supply?.watches, true);
    for (const seconds of [0, 10, 29]) {
      meter.supply?.tick(bench.now + seconds);
      assert.equal(meter.supply?.connected, true);
    }
    meter.supply?.tick(bench.now + 30);
    assert.equal(meter.supply?.state, "readyForReconnection");
    assert.deepEqual(
      meter.events.of(2).map(({ code }) => code),
      [65],
    );
  });

  test("is held to the emergency threshold while the emergency profile lasts, and to no other", () => {
    const bench = benchMeter({}, "heatPump");
    const { meter } = bench;
    const from = bench.now + 60;
    meter.changeSettings({ limiterEmergencyW: 5, emergency: { profileId: 1, from, seconds: 600 } });
    assert.equal(meter.supply?.watches, true);
    const limits = [0, 60, 659, 660].map((seconds) => meter.supply?.limitAt(bench.now + seconds));
    assert.deepEqual(limits, [undefined, 5, 5, undefined]);
    for (const seconds of [0, 59, 60, 119]) meter.supply?.tick(bench.now + seconds);
    assert.equal(meter.supply?.connected, true);
    meter.supply?.tick(bench.now + 120);
    assert.equal(meter.supply?.state, "readyForReconnection");
  });

  test("feeds nothing in while the relay of injection is open, over a power cut too, and draws as before", () => {
    const bench = benchMeter({}, "solar");
    const noon = Array.from({ length: 96 }, (_, at) => bench.now + (at + 1) * 900).find(
      (at) => bench.meter.consumption.powerW(at) < 0,
    );
    const dusk = Array.from({ length: 96 }, (_, at) => bench.now + at * 900).find(
      (at) => bench.meter.consumption.powerW(at) > 0,
    );
    assert.ok(noon !== undefined && dusk !== undefined, "the sun shines within a day");
    const drawn = bench.meter.consumption.powerW(dusk);
    bench.meter.supply?.feed(bench.now, false);
    bench.memory.commit();
    for (const { consumption } of [bench.meter, bench.restarted().meter]) {
      assert.equal(consumption.powerW(noon), 0);
      assert.equal(consumption.powerW(dusk), drawn);
    }
    bench.meter.supply?.feed(bench.now + 1, true);
    assert.ok(bench.meter.consumption.powerW(noon) < 0);
  });

  test("runs a scheduled disconnection when it is due, once", () => {
    const bench = benchMeter();
    const { meter } = bench;
    meter.changeSettings({ scheduled: { at: bench.now + 100, script: 1 } });
    meter.supply?.tick(bench.now + 99);
    assert.equal(meter.supply?.connected, true);
    meter.supply?.tick(bench.now + 100);
    assert.equal(meter.supply?.connected, false);
    assert.equal(meter.settings.scheduled, undefined);
    assert.equal(meter.supply?.watches, false);
  });
});
