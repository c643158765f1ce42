import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KeyPurpose } from "@meterkeep/dlms";
import { RESERVED_AT_ONCE } from "./security.ts";
import { type BenchMeter, benchMeter } from "./testing/bench.ts";

function newKeys(...purposes: KeyPurpose[]): { purpose: KeyPurpose; octets: Uint8Array }[] {
  return purposes.map((purpose, n) => ({ purpose, octets: new Uint8Array(16).fill(0x50 + n) }));
}

const WORKING = newKeys("globalUnicastEncryptionKey", "authenticationKey", "globalBroadcastEncryptionKey");

function keysOf({ memory }: BenchMeter): Record<string, string> {
  const entries = Object.entries(memory.meters()[0]?.keys ?? {});
  return Object.fromEntries(entries.map(([name, octets]) => [name, Buffer.from(octets).toString("hex")]));
}

describe("a meter's keys", () => {
  test("change with key_transfer, and are in memory with the next commit", () => {
    const bench = benchMeter();
    const before = keysOf(bench);
    const set = bench.meter.security.keys.current();
    assert.equal(bench.meter.security.keys.current(), set);
    assert.ok(bench.meter.security.keys.install(WORKING));
    assert.notEqual(bench.meter.security.keys.current(), set);
    assert.deepEqual(keysOf(bench), before);
    bench.memory.commit();
    assert.deepEqual(keysOf(bench), {
      globalUnicastEncryptionKey: "50".repeat(16),
      authenticationKey: "51".repeat(16),
      globalBroadcastEncryptionKey: "52".repeat(16),
      keyEncryptionKey: before["keyEncryptionKey"],
    });
    assert.ok(bench.meter.events.of(0).some(({ code }) => code === 48));
  });

  test("are all kept by the meter that lies about them, all but the master key by the other one", () => {
    const liar = benchMeter({ keyFault: "keepKeys" });
    const before = keysOf(liar);
    const set = liar.meter.security.keys.current();
    assert.ok(liar.meter.security.keys.install(WORKING));
    assert.ok(liar.meter.security.keys.install(newKeys("keyEncryptionKey")));
    liar.memory.commit();
    assert.deepEqual(keysOf(liar), before);
    assert.equal(liar.meter.security.keys.current(), set);

    const half = benchMeter({ keyFault: "keepMaster" });
    const master = keysOf(half)["keyEncryptionKey"];
    assert.ok(half.meter.security.keys.install(WORKING));
    assert.ok(half.meter.security.keys.install(newKeys("keyEncryptionKey")));
    half.memory.commit();
    assert.equal(keysOf(half)["keyEncryptionKey"], master);
    assert.equal(keysOf(half)["globalUnicastEncryptionKey"], "50".repeat(16));
  });

  test("are applied in part where an array is not atomic", () => {
    const bench = benchMeter();
    const before = keysOf(bench);
    bench.meter.faults.keyTransfer = { kind: "partial", keys: 1 };
    assert.ok(bench.meter.security.keys.install(WORKING));
    bench.memory.commit();
    assert.equal(keysOf(bench)["globalUnicastEncryptionKey"], "50".repeat(16));
    assert.equal(keysOf(bench)["authenticationKey"], before["authenticationKey"]);
  });

  test("come one by one where the companion profile says so, and have the length of the suite", () => {
    const bench = benchMeter({ profile: "dsmr-5" });
    assert.equal(bench.meter.security.keys.install(WORKING), false);
    assert.equal(
      bench.meter.security.keys.install([{ purpose: "authenticationKey", octets: new Uint8Array(32) }]),
      false,
    );
    assert.ok(!bench.memory.dirty || !keysOf(bench)["authenticationKey"]?.startsWith("00"));
    for (const key of WORKING) assert.ok(bench.meter.security.keys.install([key]));
  });

  test("hand a depot meter over to the field with the master key, not before", () => {
    const bench = benchMeter({ depot: true });
    let told = 0;
    bench.meter.onInField = () => {
      told += 1;
    };
    assert.equal(bench.meter.pushes.take(bench.now + 4000), undefined, "no push from the depot");
    bench.meter.security.keys.install(WORKING);
    assert.equal(bench.meter.inField, false);
    bench.meter.security.keys.install(newKeys("keyEncryptionKey"));
    assert.equal(bench.meter.inField, true);
    assert.equal(told, 1);
    bench.memory.commit();
    assert.equal(bench.restarted().meter.inField, true);
    assert.equal(bench.meter.pushes.take(bench.now + 4000), "report");
  });
});

test("a depot meter that acknowledges keys and never gets a master key goes to the field when it is left alone", () => {
  const bench = benchMeter({ depot: true, keyFault: "keepKeys" });
  bench.meter.tick(bench.now + 1e6);
  assert.equal(bench.meter.inField, false, "nobody has commissioned it");
  assert.ok(bench.meter.security.keys.install(WORKING));
  bench.memory.commit();
  const { meter } = bench.restarted();
  meter.tick(bench.now + 1799);
  assert.equal(meter.inField, false);
  meter.tick(bench.now + 1800);
  assert.equal(meter.inField, true);
});

describe("a meter's counters", () => {
  test("for sending are reserved in memory before they are used, so that a power cut repeats none", () => {
    const bench = benchMeter();
    const used = Array.from({ length: RESERVED_AT_ONCE + 3 }, () => bench.meter.security.counters.next());
    assert.equal(new Set(used).size, used.length);
    bench.memory.commit();
    const next = bench.restarted().meter.security.counters.next();
    assert.ok(next > Math.max(...used));
    bench.meter.powerCycle();
    assert.ok(bench.meter.security.counters.next() > Math.max(...used));
  });

  test("for receiving never go down, and survive a power cut", () => {
    const bench = benchMeter();
    const { counters } = bench.meter.security;
    assert.equal(counters.lowestAcceptable(), 0);
    counters.accept(41);
    counters.accept(7);
    assert.equal(counters.lowestAcceptable(), 42);
    assert.equal(bench.meter.security.lastReceived, 41);
    bench.meter.security.keys.install(WORKING);
    assert.equal(counters.lowestAcceptable(), 42, "new keys do not reset them");
    bench.memory.commit();
    assert.equal(bench.restarted().meter.security.counters.lowestAcceptable(), 42);
  });
});
