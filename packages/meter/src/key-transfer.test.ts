import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { describe, test } from "node:test";
import {
  type KeyPurpose,
  readProfile,
  remote,
  SecuritySetup,
  SecuritySetupV0,
  type Session,
  SessionError,
} from "@meterkeep/dlms";
import { nodeKeyWrap } from "@meterkeep/dlms-node";
import fc from "fast-check";
import type { FactoryKeys } from "./production.ts";
import { companionProfile } from "./profile/companion-profiles.ts";
import { type BenchMeter, benchMeter, freshKeys } from "./testing/bench.ts";
import { openBenchSession } from "./testing/bench-client.ts";

const SETUP = "0.0.43.0.0.255";
const WORKING = ["globalUnicastEncryptionKey", "authenticationKey", "globalBroadcastEncryptionKey"] as const;

/** Transfers keys as the companion profile wants them: in one array, or one by one. */
async function transfer(
  bench: BenchMeter,
  session: Session,
  purposes: readonly KeyPurpose[],
  to: FactoryKeys,
  master: Uint8Array,
): Promise<void> {
  const wrapped = purposes.map((keyId) => ({
    keyId,
    keyWrapped: nodeKeyWrap.wrap(createSecretKey(master), to[keyId]),
  }));
  const facts = companionProfile(bench.record.profile);
  const call = (keys: typeof wrapped): Promise<unknown> =>
    facts.securitySetupVersion === 0
      ? remote(session, SecuritySetupV0, SETUP).call("globalKeyTransfer", keys)
      : remote(session, SecuritySetup, SETUP).call("keyTransfer", keys);
  if (facts.keysPerTransfer > 1) await call(wrapped);
  else for (const key of wrapped) await call([key]);
}

for (const profile of ["idis-p2", "dsmr-5", "is15959"]) {
  describe(`key transfer on ${profile}`, () => {
    test("is answered under the old keys, and the next association needs the new ones", async () => {
      const bench = benchMeter({ profile });
      const factory = bench.record.keys;
      const keys = freshKeys();
      const session = await openBenchSession(bench);
      await transfer(bench, session, WORKING, keys, factory.keyEncryptionKey);
      // The association that carried the change goes on with the keys it began with.
      await readProfile(session, "1.0.99.2.0.255");
      await session.release();
      await assert.rejects(openBenchSession(bench), SessionError);
      const next = await openBenchSession(bench, { keys });
      // The master key is still the factory's: it goes alone and last.
      await transfer(bench, next, ["keyEncryptionKey"], keys, factory.keyEncryptionKey);
      const spare = { ...keys, globalBroadcastEncryptionKey: freshKeys().globalBroadcastEncryptionKey };
      await transfer(bench, next, ["globalBroadcastEncryptionKey"], spare, keys.keyEncryptionKey);
      await assert.rejects(
        transfer(bench, next, ["globalBroadcastEncryptionKey"], keys, factory.keyEncryptionKey),
        SessionError,
        "the old master key is dead",
      );
      await next.release();
      assert.deepEqual(
        { ...bench.memory.meters()[0]?.keys },
        { ...keys, globalBroadcastEncryptionKey: spare.globalBroadcastEncryptionKey },
      );
      await (await openBenchSession(bench.restarted(), { keys })).release();
    });

    test("changes nothing when one of its wraps is not under the master key", async () => {
      const bench = benchMeter({ profile });
      const session = await openBenchSession(bench);
      const wrong = freshKeys().keyEncryptionKey;
      await assert.rejects(transfer(bench, session, WORKING, freshKeys(), wrong), SessionError);
      await session.release();
      await (await openBenchSession(bench)).release();
    });
  });
}

test("a meter of one key a transfer refuses an array, and takes none of it", async () => {
  const bench = benchMeter({ profile: "dsmr-5" });
  const keys = freshKeys();
  const session = await openBenchSession(bench);
  const wrapped = WORKING.map((keyId) => ({
    keyId,
    keyWrapped: nodeKeyWrap.wrap(createSecretKey(bench.record.keys.keyEncryptionKey), keys[keyId]),
  }));
  await assert.rejects(remote(session, SecuritySetupV0, SETUP).call("globalKeyTransfer", wrapped), SessionError);
  await session.release();
  await (await openBenchSession(bench)).release();
});

test("the liar acknowledges and is found out: the new keys do not open it, the factory's do", async () => {
  const bench = benchMeter({ keyFault: "keepKeys" });
  const keys = freshKeys();
  const session = await openBenchSession(bench);
  await transfer(bench, session, WORKING, keys, bench.record.keys.keyEncryptionKey);
  await session.release();
  await assert.rejects(openBenchSession(bench, { keys }), SessionError);
  await (await openBenchSession(bench)).release();
});

test("the meter that keeps its master key is found out: a wrap under the new one is refused, one under the old is taken", async () => {
  const bench = benchMeter({ keyFault: "keepMaster" });
  const factory = bench.record.keys;
  const keys = freshKeys();
  const session = await openBenchSession(bench);
  await transfer(bench, session, WORKING, keys, factory.keyEncryptionKey);
  await session.release();
  const next = await openBenchSession(bench, { keys });
  await transfer(bench, next, ["keyEncryptionKey"], keys, factory.keyEncryptionKey);
  await assert.rejects(
    transfer(bench, next, ["globalBroadcastEncryptionKey"], freshKeys(), keys.keyEncryptionKey),
    SessionError,
  );
  await transfer(bench, next, ["globalBroadcastEncryptionKey"], freshKeys(), factory.keyEncryptionKey);
});

test("a crash before a transfer leaves the old keys, one after it the new ones, with no answer in either case", async () => {
  for (const [kind, changed] of [
    ["crash-before", false],
    ["crash-after", true],
  ] as const) {
    const bench = benchMeter();
    const keys = freshKeys();
    bench.meter.faults.arm({ fault: { kind }, scope: "key-transfer", times: 1 });
    const session = await openBenchSession(bench);
    await assert.rejects(transfer(bench, session, WORKING, keys, bench.record.keys.keyEncryptionKey), /no answer/);
    const again = bench.restarted();
    await (await openBenchSession(again, changed ? { keys } : {})).release();
    await assert.rejects(openBenchSession(again, changed ? {} : { keys }), SessionError);
  }
});

test("a replayed or lowered counter is refused and logged, and so are wrong keys", async () => {
  const bench = benchMeter();
  await (await openBenchSession(bench, { firstCounter: 1000 })).release();
  await assert.rejects(openBenchSession(bench, { firstCounter: 1 }), SessionError);
  await assert.rejects(openBenchSession(bench, { keys: freshKeys() }), SessionError);
  const codes = [1, 3].flatMap((log) => bench.meter.events.of(log).map(({ code }) => code));
  assert.ok(codes.includes(50) || codes.includes(46), `codes ${codes.join()}`);
  await (await openBenchSession(bench)).release();
});

test("whatever arrives is answered or passed over in silence, and the meter lives on", async () => {
  const bench = benchMeter();
  const recorded: Uint8Array[] = [];
  const { serve } = bench.meter;
  bench.meter.serve = (connection, apdu) => {
    recorded.push(Uint8Array.from(apdu));
    return serve.call(bench.meter, connection, apdu);
  };
  const session = await openBenchSession(bench);
  await readProfile(session, "1.0.99.1.0.255");
  await session.release();
  bench.meter.serve = serve;
  const changed = fc
    .tuple(fc.constantFrom(...recorded), fc.nat(), fc.integer({ min: 0, max: 255 }))
    .map(([apdu, at, octet]) => {
      const copy = Uint8Array.from(apdu);
      copy[at % copy.length] = octet;
      return at % 3 === 0 ? copy.subarray(0, at % copy.length) : copy;
    });
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.uint8Array({ maxLength: 80 }), changed), { maxLength: 6 }),
      fc.constantFrom(1, 2, 16, 99),
      (apdus, sap) => {
        const connection = bench.meter.connect(sap, 1);
        for (const apdu of apdus) bench.meter.serve(connection, apdu);
        bench.meter.disconnect(connection);
      },
    ),
    { numRuns: 300 },
  );
  bench.memory.commit();
  await (await openBenchSession(bench)).release();
});
