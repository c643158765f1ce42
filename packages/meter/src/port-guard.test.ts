import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock, CommunicationPortProtection, remote } from "@meterkeep/dlms";
import { benchMeter } from "./testing/bench.ts";
import { openBenchSession } from "./testing/bench-client.ts";

const PORT = "0.0.44.2.0.255";

test("who guesses keys is locked out for longer and longer, over power cuts too, and whoever knows them is let in after", async () => {
  let bench = benchMeter();
  const port = remote(await openBenchSession(bench), CommunicationPortProtection, PORT);
  await port.set("protectionMode", "lockedOnFailedAttempts");
  await port.set("allowedFailedAttempts", 2);
  const wrong = { ...bench.record.keys, globalUnicastEncryptionKey: new Uint8Array(16) };
  const guess = () => assert.rejects(openBenchSession(bench, { keys: wrong, firstCounter: 1_000_000 }));
  for (let attempt = 0; attempt < 3; attempt += 1) await guess();
  assert.ok(bench.meter.portGuard.isLocked);
  await assert.rejects(openBenchSession(bench, { firstCounter: 2000 }), /no answer/, "the right keys do not help");
  assert.equal(bench.meter.portGuard.state.failedAttempts, 3, "what is not heard does not count");
  bench.memory.commit();
  bench = bench.restarted();
  assert.ok(bench.meter.portGuard.isLocked);
  bench.now += 60;
  assert.ok(!bench.meter.portGuard.isLocked);
  await guess();
  bench.now += 60;
  assert.ok(bench.meter.portGuard.isLocked, "twice as long");
  bench.now += 60;
  const session = await openBenchSession(bench, { firstCounter: 3000 });
  const state = remote(session, CommunicationPortProtection, PORT);
  assert.equal(await state.get("failedAttempts"), 0);
  assert.equal(await state.get("cumulativeFailedAttempts"), 4);
  assert.ok(await remote(session, Clock, "0.0.1.0.0.255").get("time"));
});

test("meters leave the factory without locking anybody out", async () => {
  const bench = benchMeter();
  const wrong = { ...bench.record.keys, globalUnicastEncryptionKey: new Uint8Array(16) };
  for (let attempt = 0; attempt < 15; attempt += 1)
    await assert.rejects(openBenchSession(bench, { keys: wrong, firstCounter: 1000 }));
  assert.ok(!bench.meter.portGuard.isLocked);
  assert.ok(await openBenchSession(bench, { firstCounter: 1000 }));
});
