import assert from "node:assert/strict";
import { test } from "node:test";
import type { FieldReport } from "@meterkeep/api/custodian";
import {
  carryTakeover,
  countersFrom,
  HEAD_END,
  journal,
  newHandheld,
  opened,
  type TestCustody,
  visit,
  withTestCustody,
} from "@meterkeep/custody/testing";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { type BenchMeter, benchMeter } from "@meterkeep/meter/testing";
import { follow } from "../src/operation-bench.ts";

// A virtual meter that writes its own logs, and a custodian that reads them: neither knows the other's code.

const OPERATOR = { name: "operator", role: "operator" } as const;
const MINUTE = 60_000;

/** The meter as whoever carries octets to it has it: from afar, or on the spot. */
function reached({ meter, record, memory }: BenchMeter, way: "remote" | "local") {
  return {
    systemTitle: record.systemTitle,
    fault: "none" as const,
    connect: (client: number, server: number) => {
      const connection = meter.connect(client, server, way);
      return {
        exchange: (apdu: Uint8Array) => {
          const { response } = meter.serve(connection, apdu);
          memory.commit();
          return response;
        },
      };
    },
  };
}

async function withLentMeter(
  body: (round: {
    readonly custody: TestCustody;
    readonly bench: BenchMeter;
    /** On the spot, under the lease's keys. */
    readonly come: () => Promise<number>;
    /** Hands the journal in with these visits, and has the keys changed and the log read. */
    readonly comeBack: (visits: readonly number[]) => Promise<{ readonly state: string; readonly outcome: string }>;
  }) => Promise<void>,
  rolledSeconds = 0,
): Promise<void> {
  await withTestCustody(async (custody) => {
    const bench = follow(benchMeter(), custody);
    const { keys, logicalDeviceName, serialNumber } = bench.record;
    const { globalUnicastEncryptionKey, globalBroadcastEncryptionKey, authenticationKey, keyEncryptionKey } = keys;
    const factoryKeys = [globalUnicastEncryptionKey, globalBroadcastEncryptionKey, authenticationKey, keyEncryptionKey];
    const meter = bench.record.systemTitle;
    await custody.add({ systemTitle: meter, logicalDeviceName, factoryKeys, factorySecrets: {} }, { serialNumber });
    if (rolledSeconds !== 0) bench.meter.rollClock(rolledSeconds);
    await carryTakeover(custody, reached(bench, "remote"));
    const { service } = custody.custody;
    const handheld = newHandheld("HH-9");
    await service.enrolHandheld({ publicKey: handheld.publicKey, technician: "Bo" }, OPERATOR);
    custody.now += 30 * MINUTE;
    const { file } = await service.giveLease(
      { handheld: "HH-9", meters: [systemTitle(fromHex(meter))], operations: ["read"], hours: 4, reason: "round" },
      OPERATOR,
    );
    const lease = opened(file, handheld);
    const counters = countersFrom(lease.terms.meters[0]?.first ?? assert.fail());
    const come = async (): Promise<number> => {
      custody.now += 20 * MINUTE;
      const at = custody.now;
      await visit(reached(bench, "local"), lease, counters);
      return at;
    };
    const comeBack = async (visits: readonly number[]) => {
      custody.now += 20 * MINUTE;
      const acts = visits.map((at) => ({
        meter,
        at,
        operation: "read",
        address: "serial:/dev/probe",
        outcome: "done",
      }));
      const used = [{ meter, next: counters.next }];
      const said = { lease: lease.terms.lease, used, passed: [], acts };
      await service.returnLease({ journal: journal(handheld, said) }, OPERATOR);
      await carryTakeover(custody, reached(bench, "remote"), { by: HEAD_END });
      const { leases } = JSON.parse((await service.fieldReport({}, OPERATOR)).report) as FieldReport;
      const [told] = leases;
      return { state: told?.state ?? "", outcome: told?.meters[0]?.logged?.outcome ?? "" };
    };
    await body({ custody, bench, come, comeBack });
  });
}

test("what a virtual meter writes of its local interface is what an honest journal says, whatever its clock shows", async () => {
  for (const rolledSeconds of [0, -5400])
    await withLentMeter(async ({ come, comeBack }) => {
      const visits = [await come(), await come()];
      assert.deepEqual(await comeBack(visits), { state: "returned", outcome: "agrees" });
    }, rolledSeconds);
});

test("a visit that the journal leaves out, and one that it makes up, dispute the lease by the meter's own log", async () => {
  await withLentMeter(async ({ come, comeBack }) => {
    const [told] = [await come(), await come()];
    assert.deepEqual(await comeBack([told]), { state: "disputed", outcome: "finding" });
  });
  await withLentMeter(async ({ come, comeBack }) => {
    const told = await come();
    assert.deepEqual(await comeBack([told, told + 10 * MINUTE]), { state: "disputed", outcome: "finding" });
  });
});

test("a clock that somebody moved between the visits and the reading lets nothing be said, by the meter's own log of it", async () => {
  await withLentMeter(async ({ bench, come, comeBack }) => {
    const visits = [await come()];
    bench.meter.clock.set(bench.meter.clock.now() - 45 * MINUTE);
    assert.deepEqual(await comeBack(visits), { state: "returned", outcome: "untold" });
  });
});
