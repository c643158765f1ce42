import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import {
  DisconnectControl,
  Register,
  readProfile,
  remote,
  SecuritySetup,
  SecuritySetupV0,
  type Session,
} from "@meterkeep/dlms";
import { nodeKeyWrap } from "@meterkeep/dlms-node";
import { companionProfile, type FactoryKeys, type ProductionRecord } from "@meterkeep/meter";
import { type BenchTown, benchTown } from "./testing/bench-town.ts";
import { openTcpSession } from "./testing/client.ts";
import { startTownProcess, type TownProcess } from "./testing/town-process.ts";

async function withProcess(bench: BenchTown, work: (town: { current: TownProcess }) => Promise<void>): Promise<void> {
  using _ = bench;
  const town = { current: await startTownProcess(bench) };
  try {
    await work(town);
  } finally {
    await town.current.kill();
  }
}

function portOf(bench: BenchTown, record: ProductionRecord): number {
  return bench.addresses().meters.find(({ systemTitle }) => systemTitle === record.systemTitle)?.port ?? 0;
}

async function transfer(session: Session, record: ProductionRecord, to: FactoryKeys): Promise<void> {
  const kek = createSecretKey(record.keys.keyEncryptionKey);
  for (const keyId of ["globalUnicastEncryptionKey", "authenticationKey", "keyEncryptionKey"] as const) {
    const keys = [{ keyId, keyWrapped: nodeKeyWrap.wrap(kek, to[keyId]) }];
    if (companionProfile(record.profile).securitySetupVersion === 0) {
      await remote(session, SecuritySetupV0, "0.0.43.0.0.255").call("globalKeyTransfer", keys);
    } else await remote(session, SecuritySetup, "0.0.43.0.0.255").call("keyTransfer", keys);
  }
}

describe("a town in its own process", () => {
  test("remembers over kill -9 what it has answered for: keys, counters and relays, meter by meter", async () => {
    const bench = benchTown(6);
    await withProcess(bench, async (town) => {
      const field = bench.records.filter(({ role, depot }) => role === "home" && !depot);
      const changed = new Map<string, FactoryKeys>();
      const { clock } = bench.addresses();
      let counter = 10;
      for (const record of field) {
        const key = (): Uint8Array => new Uint8Array(randomBytes(16));
        const keys = {
          globalUnicastEncryptionKey: key(),
          globalBroadcastEncryptionKey: record.keys.globalBroadcastEncryptionKey,
          authenticationKey: key(),
          keyEncryptionKey: key(),
        };
        const client = await openTcpSession({ record, port: portOf(bench, record), firstCounter: counter });
        await remote(client.session, DisconnectControl, "0.0.96.3.10.255").call("remoteDisconnect");
        await transfer(client.session, record, keys);
        // The answer is here, so the change is there: the process dies in this very moment.
        await town.current.kill();
        await client.cut();
        changed.set(record.systemTitle, keys);
        town.current = await startTownProcess(bench);
        counter += 100;
      }
      assert.deepEqual(bench.addresses().clock, clock, "a crash does not move the town's clock");
      for (const record of field) {
        const keys = changed.get(record.systemTitle);
        assert.ok(keys !== undefined);
        const port = portOf(bench, record);
        await assert.rejects(openTcpSession({ record, port, firstCounter: counter }), /./, "the factory keys are dead");
        await assert.rejects(openTcpSession({ record, port, keys, firstCounter: 10 }), /./, "its counter was used");
        await using client = await openTcpSession({ record, port, keys, firstCounter: counter + 50 });
        const control = remote(client.session, DisconnectControl, "0.0.96.3.10.255");
        assert.equal(await control.get("outputState"), false);
        const power = await remote(client.session, Register, "1.0.1.7.0.255").get("value");
        assert.equal(power.value, 0);
      }
    });
  });

  test("stops when it is told to, with status 0", async () => {
    const bench = benchTown(2);
    await withProcess(bench, async (town) => {
      assert.deepEqual(
        town.current.messages.map(({ type }) => type),
        ["step", "ready"],
      );
      assert.equal(await town.current.stop(), 0);
    });
  });

  test("of a thousand meters associates with a thousand clients at once", async (t) => {
    const bench = benchTown(2 * 998);
    await withProcess(bench, async (town) => {
      const ports = new Map(bench.addresses().meters.map(({ systemTitle, port }) => [systemTitle, port]));
      const field = bench.records.filter(({ depot }) => !depot);
      assert.equal(field.length, 999);
      // All associations stand at the same time before the first one ends.
      const clients = await Promise.all(
        field.map((record) =>
          openTcpSession({
            record,
            port: ports.get(record.systemTitle) ?? 0,
            firstCounter: 1,
            responseTimeoutMilliseconds: 60_000,
          }),
        ),
      );
      const rows = await Promise.all(clients.map(({ session }) => readProfile(session, "1.0.99.2.0.255")));
      for (const daily of rows) assert.ok(daily.length >= 9);
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
      t.diagnostic(`${Math.round(town.current.residentBytes() / 1e6)} MB resident with ${bench.records.length} meters`);
    });
  });
});
