import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { DisconnectControl, Register, remote, type Session } from "@meterkeep/dlms";
import { onOctets, TransportError } from "@meterkeep/dlms-node";
import type { LineFault, ProductionRecord, VirtualMeter } from "@meterkeep/meter";
import type { MeterLine } from "./meter-line.ts";
import { BENCH_HOST, benchTown } from "./testing/bench-town.ts";
import { openTcpSession } from "./testing/client.ts";
import { startTown } from "./town.ts";

interface OnTheLine {
  readonly meter: VirtualMeter;
  readonly line: MeterLine;
  readonly record: ProductionRecord;
  readonly port: number;
}

async function withMeter(work: (on: OnTheLine) => Promise<void>): Promise<void> {
  using bench = benchTown(1);
  const town = await startTown(bench.options);
  try {
    const record = bench.records[2];
    const found = town.meters.get(record?.systemTitle ?? "");
    assert.ok(record !== undefined && found !== undefined);
    await work({ meter: found.meter, line: found.line, record, port: found.port });
  } finally {
    await town.close();
  }
}

async function read(session: Session): Promise<unknown> {
  return (await remote(session, Register, "1.0.1.8.0.255").get("value")).value;
}

/** Opens a session, arms the fault for the next request and reads. */
async function readWith(
  { meter, record, port }: OnTheLine,
  fault: LineFault,
  firstCounter: number,
  timeout = 2000,
): Promise<unknown> {
  await using client = await openTcpSession({ record, port, firstCounter, responseTimeoutMilliseconds: timeout });
  meter.faults.arm({ fault, scope: "any", times: 1 });
  return await read(client.session);
}

/** Its companion profile logs them as code 102 in its second log. */
function powerUpsOf(meter: VirtualMeter): number {
  assert.equal(meter.profile.id, "is15959");
  return meter.events.of(1).filter(({ code }) => code === 102).length;
}

const lost = (error: unknown): boolean => error instanceof TransportError;

describe("faults on the line", () => {
  test("drop, reset, truncate and crash an answer; the meter is there for the next client", async () => {
    await withMeter(async (on) => {
      const faults: LineFault[] = [
        { kind: "drop" },
        { kind: "reset" },
        { kind: "truncate", octets: 11 },
        { kind: "crash-before" },
        { kind: "crash-after" },
      ];
      for (const [n, fault] of faults.entries()) {
        const powerUps = powerUpsOf(on.meter);
        await assert.rejects(readWith(on, fault, 1000 * (n + 1), 150), lost, fault.kind);
        await using client = await openTcpSession({ ...on, firstCounter: 1000 * (n + 1) + 500 });
        assert.equal(typeof (await read(client.session)), "number", fault.kind);
        assert.equal(
          powerUpsOf(on.meter) - powerUps,
          fault.kind.startsWith("crash") ? 1 : 0,
          `power-ups with ${fault.kind}`,
        );
      }
    });
  });

  test("delay an answer and send one twice", async () => {
    await withMeter(async (on) => {
      assert.equal(typeof (await readWith(on, { kind: "delay", milliseconds: 30 }, 1000)), "number");
      on.meter.faults.arm({ fault: { kind: "duplicate" }, scope: "association", times: 1 });
      const socket = connect(on.port, BENCH_HOST);
      const received: Uint8Array[] = [];
      let bytes = 0;
      const aarq = Buffer.from("601da109060760857405080101be10040e01000000065f1f0400001c1f0000", "hex");
      const two = new Promise<void>((resolve) =>
        onOctets(socket, (chunk) => {
          received.push(chunk);
          bytes += chunk.length;
          const all = Buffer.concat(received);
          if (all.length >= 8 && bytes === 2 * (8 + all.readUInt16BE(6))) resolve();
        }),
      );
      socket.write(Buffer.concat([Buffer.of(0, 1, 0, 16, 0, 1, 0, aarq.length), aarq]));
      await two;
      const all = Buffer.concat(received);
      assert.deepEqual(all.subarray(0, all.length / 2), all.subarray(all.length / 2));
      socket.destroy();
      await once(socket, "close");
    });
  });

  test("send again what somebody heard: a disconnect that was sealed once switches nothing twice", async () => {
    await withMeter(async ({ meter, line, record, port }) => {
      assert.equal(line.replay(), 0, "nobody has listened");
      line.eavesdrop();
      {
        await using client = await openTcpSession({ record, port, firstCounter: 1000 });
        const relay = remote(client.session, DisconnectControl, "0.0.96.3.10.255");
        await relay.call("remoteDisconnect");
        await relay.call("remoteReconnect");
      }
      const { runs } = meter.supply ?? {};
      assert.equal(runs, 2);
      assert.ok(line.replay() >= 4, "the association, both calls and the end were heard");
      assert.deepEqual([meter.supply?.runs, meter.supply?.connected], [2, true]);
    });
  });
});
