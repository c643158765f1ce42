import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import { CLIENT_SAPS } from "./meter-model.ts";
import { BENCH_NOW, type BenchMeter, benchMeter } from "./testing/bench.ts";
import { openBenchSession } from "./testing/bench-client.ts";
import { SERVER_SAP } from "./well-known.ts";

/** What the logs have of the local interface: seconds since the bench was set up, and codes. */
const written = ({ meter }: BenchMeter) =>
  meter.profile.logs.flatMap(({ name }, log) =>
    meter.events
      .of(log)
      .filter(({ code }) => [28, 29, 158].includes(code))
      .map(({ at, code }) => [name, at - BENCH_NOW, code]),
  );

test("a session at the local interface stands in the security log from its association to its end, and one from afar does not", async () => {
  const bench = benchMeter();
  const remote = await openBenchSession(bench);
  await remote[Symbol.asyncDispose]();
  assert.deepEqual(written(bench), []);
  const session = await openBenchSession(bench, { way: "local" });
  bench.now += 60;
  await session.get({ classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 });
  assert.deepEqual(written(bench), [["security", 0, 28]]);
  bench.now += 30;
  await session[Symbol.asyncDispose]();
  assert.deepEqual(written(bench), [
    ["security", 0, 28],
    ["security", 90, 29],
  ]);
});

test("a line that is cut ends a local session, in the time of the meter's own clock", async () => {
  const bench = benchMeter();
  bench.meter.rollClock(600);
  const connection = bench.meter.connect(CLIENT_SAPS.public, SERVER_SAP, "local");
  const aarq = "601da109060760857405080101be10040e01000000065f1f0400001e1dffff";
  const { response } = bench.meter.serve(connection, Buffer.from(aarq, "hex"));
  assert.match(toHex(response ?? new Uint8Array()), /^61/i);
  bench.now += 5;
  bench.meter.disconnect(connection);
  bench.meter.disconnect(connection);
  assert.deepEqual(written(bench), [
    ["security", 600, 28],
    ["security", 605, 29],
  ]);
});

test("whoever is not let in at the local interface is an attempt", async () => {
  const bench = benchMeter();
  const wrong = { ...bench.record.keys, authenticationKey: new Uint8Array(16) };
  await assert.rejects(openBenchSession(bench, { way: "local", keys: wrong }));
  assert.deepEqual(written(bench), [["communication", 0, 158]]);
  await assert.rejects(openBenchSession(bench, { keys: wrong }));
  assert.deepEqual(written(bench).length, 1, "from afar it is a failed authentication alone");
});
