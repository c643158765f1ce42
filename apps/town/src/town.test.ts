import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { DisconnectControl, dateTimeAt, openPush, Register, readProfileRange, remote } from "@meterkeep/dlms";
import {
  listenForPushesTcp,
  listenForPushesUdp,
  nodeCiphers,
  type ReceivedPush,
  TransportError,
} from "@meterkeep/dlms-node";
import { measuredBetween } from "@meterkeep/meter";
import fc from "fast-check";
import { openControl } from "./control.ts";
import { BENCH_HOST, type BenchTown, benchTown } from "./testing/bench-town.ts";
import { openTcpSession } from "./testing/client.ts";
import { startTown, type Town } from "./town.ts";

async function withTown(bench: BenchTown, work: (town: Town, bench: BenchTown) => Promise<void>): Promise<void> {
  using kept = bench;
  const town = await startTown(kept.options);
  try {
    await work(town, kept);
  } finally {
    await town.close();
  }
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  socket.on("error", () => undefined);
  // Not `once`: an error before the close, a reset for instance, is no surprise here.
  if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}

describe("a town", () => {
  test("opens a port for each meter, says where they are and reads the same over TCP as it measures", async () => {
    await withTown(benchTown(6), async (town, bench) => {
      const { meters, clock } = bench.addresses();
      assert.equal(meters.length, 8);
      assert.equal(clock.factor, 60);
      assert.ok(Math.abs(Date.parse(clock.epoch) / 1000 - town.clock.time.epoch) < 0.01);
      for (const [n, record] of bench.records.entries()) {
        if (record.depot) continue;
        const address = meters[n];
        assert.equal(address?.systemTitle, record.systemTitle);
        assert.equal(address.depotPort, undefined);
        await using client = await openTcpSession({ record, port: address.port, firstCounter: 1 });
        const value = await remote(client.session, Register, "1.0.1.8.0.255").get("value");
        const truth = town.meters.get(record.systemTitle)?.meter;
        assert.ok(truth !== undefined && typeof value.value === "number");
        const { importWh } = truth.consumption.registers(truth.now());
        assert.ok(
          Math.abs(value.value * 10 ** truth.profile.scalers.energy - importWh) <= 60,
          `${value.value} of ${importWh}`,
        );
      }
    });
  });

  test("reaches depot meters on the depot's address only, until they have acknowledged a new master key", async () => {
    await withTown(benchTown(2), async (town, bench) => {
      const record = bench.records[3];
      assert.ok(record?.depot);
      const address = bench.addresses().meters[3];
      assert.ok(address?.depotPort !== undefined);
      await assert.rejects(openTcpSession({ record, port: address.port, firstCounter: 1 }), TransportError);
      {
        await using client = await openTcpSession({ record, port: address.depotPort, firstCounter: 1 });
        await remote(client.session, Register, "1.0.1.8.0.255").get("value");
        town.meters.get(record.systemTitle)?.meter.onKeys(["keyEncryptionKey"]);
      }
      await using client = await openTcpSession({ record, port: address.port, firstCounter: 100 });
      await remote(client.session, Register, "1.0.1.8.0.255").get("value");
    });
  });

  test("lets one client at a time to a meter and refuses others, on whichever address", async () => {
    await withTown(benchTown(2), async (_, bench) => {
      const record = bench.records[2];
      const port = bench.addresses().meters[2]?.port ?? 0;
      assert.ok(record !== undefined);
      const first = await openTcpSession({ record, port, firstCounter: 1 });
      await assert.rejects(openTcpSession({ record, port, firstCounter: 100 }), TransportError);
      await remote(first.session, Register, "1.0.1.8.0.255").get("value");
      await first.cut();
      // Whoever hangs up and calls again at once is let in.
      await using second = await openTcpSession({ record, port, firstCounter: 200 });
      await remote(second.session, Register, "1.0.1.8.0.255").get("value");
    });
  });

  test("goes on where it was: registers, relays, counters and the clock", async () => {
    const bench = benchTown(2);
    using _ = bench;
    const record = bench.records[2];
    assert.ok(record !== undefined);
    const first = await startTown(bench.options);
    const { port } = first.meters.get(record.systemTitle) ?? { port: 0 };
    {
      await using client = await openTcpSession({ record, port, firstCounter: 50 });
      await remote(client.session, DisconnectControl, "0.0.96.3.10.255").call("remoteDisconnect");
    }
    const time = first.clock.time;
    await first.close();
    const second = await startTown(bench.options);
    try {
      assert.deepEqual(second.clock.time, time);
      const meter = second.meters.get(record.systemTitle);
      assert.equal(meter?.meter.supply?.connected, false);
      assert.ok((meter?.meter.security.lastReceived ?? 0) >= 50);
      await assert.rejects(openTcpSession({ record, port: meter?.port ?? 0, firstCounter: 50 }), /./);
    } finally {
      await second.close();
    }
  });

  test("survives what strangers send, and hangs up on those who are slow or send nothing a meter knows", async () => {
    const patience = { idleMilliseconds: 150, frameMilliseconds: 100, waitMilliseconds: 250 };
    await withTown(benchTown(1, { patience }), async (_, bench) => {
      const record = bench.records[2];
      const port = bench.addresses().meters[2]?.port ?? 0;
      assert.ok(record !== undefined);
      const frame = (apdu: Uint8Array): Buffer =>
        Buffer.concat([Buffer.of(0, 1, 0, 16, 0, 1, apdu.length >> 8, apdu.length & 0xff), apdu]);
      const bytes = fc.uint8Array({ maxLength: 200 });
      const messages = fc.sample(fc.oneof(bytes, bytes.map(frame)), { numRuns: 60, seed: 5 });
      for (const message of messages) {
        const socket = connect(port, BENCH_HOST);
        socket.on("error", () => undefined);
        socket.write(message);
        socket.end();
        await closed(socket);
      }
      const slow = connect(port, BENCH_HOST);
      slow.write(Buffer.of(0, 1, 0));
      const drip = setInterval(() => slow.writable && slow.write(Buffer.of(16)), 30);
      await closed(slow).finally(() => clearInterval(drip));
      const silent = connect(port, BENCH_HOST);
      await closed(silent);
      await using client = await openTcpSession({ record, port, firstCounter: 1 });
      await remote(client.session, Register, "1.0.1.8.0.255").get("value");
    });
  });

  test("refuses a production file with a line it cannot read, naming it", async () => {
    using bench = benchTown(1);
    const text = readFileSync(bench.options.productionFile, "utf8");
    writeFileSync(bench.options.productionFile, `${text}{"systemTitle":"4D4B"}\n`);
    await assert.rejects(startTown(bench.options), (error: Error & { code?: string }) => {
      assert.equal(error.code, "meter-production-malformed");
      assert.match(error.message, /Line 4 /);
      return true;
    });
  });
});

describe("pushes of a town", () => {
  test("reach the head-end over TCP and UDP, authenticated or marked as what they are", async () => {
    const pushes: ReceivedPush[] = [];
    const heard = { wake: (): void => undefined };
    const onPush = (push: ReceivedPush): void => {
      pushes.push({ ...push, apdu: Uint8Array.from(push.apdu) });
      heard.wake();
    };
    await using tcp = await listenForPushesTcp({ onPush });
    await using udp = await listenForPushesUdp({ onPush, port: tcp.port });
    await withTown(benchTown(12, { pushPort: udp.port, speed: 3600 }), async (_, bench) => {
      const field = bench.records.filter(({ depot }) => !depot);
      const seen = new Map<string, readonly number[]>();
      while (seen.size < field.length) {
        if (pushes.length === 0) await new Promise<void>((resolve) => Object.assign(heard, { wake: resolve }));
        for (const { apdu, transport, source } of pushes.splice(0)) {
          let title = "";
          const opened = openPush(apdu, {
            ciphers: nodeCiphers,
            keysOf: (originator) => {
              title = Buffer.from(originator).toString("hex").toUpperCase();
              const keys = bench.records.find(({ systemTitle }) => systemTitle === title)?.keys;
              if (keys === undefined) return undefined;
              const encryption = createSecretKey(keys.globalUnicastEncryptionKey);
              return { encryption, authentication: keys.authenticationKey };
            },
          });
          const record = field.find(({ systemTitle }) => systemTitle === title);
          assert.ok(record !== undefined, "depot meters have no line in the field yet");
          assert.equal(source, 1);
          assert.equal(transport, record.profile === "dsmr-5" ? "udp" : "tcp");
          assert.equal(opened.authenticated, record.pushProtection === "authenticated-encrypted");
          assert.ok(opened.encrypted);
          const { body } = opened.notification;
          assert.ok(body.type === "structure" && body.value[0]?.type === "octet-string");
          assert.equal(Buffer.from(body.value[0].value).toString(), record.logicalDeviceName);
          const counters = seen.get(title) ?? [];
          assert.ok((opened.invocationCounter ?? 0) > (counters.at(-1) ?? -1), "counters rise");
          seen.set(title, [...counters, opened.invocationCounter ?? 0]);
        }
      }
      assert.ok(field.some(({ pushProtection }) => pushProtection === "encrypted"));
    });
  });

  test("wait for a head-end that is not there yet", async () => {
    let arrived = (): void => undefined;
    const first = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const port = await listenForPushesTcp({ onPush: () => undefined });
    await port[Symbol.asyncDispose]();
    await withTown(benchTown(1, { pushPort: port.port, speed: 3600 }), async (town, bench) => {
      const meter = town.meters.get(bench.records[2]?.systemTitle ?? "")?.meter;
      meter?.requestPush("report");
      await new Promise((resolve) => setTimeout(resolve, 400));
      await using _ = await listenForPushesTcp({ port: port.port, onPush: () => arrived() });
      await first;
    });
  });
});

test("the control socket tells the truth and sets faults, and answers nonsense without harm", async () => {
  await withTown(benchTown(1), async (town, bench) => {
    const path = join(bench.options.stateDirectory, "control.sock");
    const control = await openControl(path, town);
    assert.ok(control !== undefined);
    const socket = connect(path);
    socket.setEncoding("utf8");
    const ask = async (request: unknown): Promise<Record<string, unknown>> => {
      socket.write(`${typeof request === "string" ? request : JSON.stringify(request)}\n`);
      const [line] = (await once(socket, "data")) as [string];
      return JSON.parse(line) as Record<string, unknown>;
    };
    const meter = bench.records[2]?.systemTitle ?? "";
    const truth = (await ask({ do: "truth" })) as { ok: boolean; meters: { systemTitle: string; supplied: boolean }[] };
    assert.deepEqual(
      truth.meters.map(({ systemTitle }) => systemTitle),
      bench.records.map(({ systemTitle }) => systemTitle),
    );
    assert.ok(truth.meters.every(({ supplied }) => supplied));
    assert.equal((await ask({ do: "fault", meter, fault: "truncate", amount: 9, times: 1 }))["ok"], true);
    assert.deepEqual(town.meters.get(meter)?.meter.faults.strike(undefined), { kind: "truncate", octets: 9 });
    assert.equal((await ask({ do: "key-fault", meter, fault: "keepKeys" }))["ok"], true);
    assert.equal(town.meters.get(meter)?.meter.keyTransferFault, "keepKeys");
    const line = town.meters.get(meter)?.line;
    assert.deepEqual([(await ask({ do: "on-the-spot", meter, on: true }))["ok"], line?.isOnTheSpot], [true, true]);
    assert.deepEqual([(await ask({ do: "on-the-spot", meter, on: false }))["ok"], line?.isOnTheSpot], [true, false]);
    assert.equal((await ask({ do: "power-cycle", meter }))["ok"], true);
    for (const nonsense of [
      "{",
      "null",
      { do: "nothing" },
      { do: "fault", meter: "x", fault: "drop" },
      { do: "fault", meter, fault: "?" },
    ]) {
      assert.equal((await ask(nonsense))["ok"], false);
    }
    socket.destroy();
    await control.close();
  });
});

test("what was measured is what a client reads of the load profile, and a wrong bit on the line makes nothing of it be believed", async () => {
  await withTown(benchTown(6), async (town, bench) => {
    const record = bench.records.find(({ depot, role, profile }) => !depot && role === "home" && profile !== "is15959");
    assert.ok(record !== undefined);
    const own = town.meters.get(record.systemTitle)?.meter;
    const port = bench.addresses().meters.find(({ systemTitle }) => systemTitle === record.systemTitle)?.port ?? 0;
    assert.ok(own !== undefined);
    const to = Math.floor(own.now() / 900) * 900;
    const from = to - 8 * 900;
    const [drawn] = measuredBetween(own, from, to);
    assert.deepEqual(
      drawn?.values.map(([at]) => at),
      Array.from({ length: 8 }, (_, n) => from + (n + 1) * 900),
    );
    let firstCounter = 1;
    for (const fault of ["flip", "flip-request"] as const)
      for (const bit of [40, 90, 200]) {
        own.faults.arm({ fault: { kind: fault, bit }, scope: "any" });
        await assert.rejects(
          openTcpSession({ record, port, firstCounter, responseTimeoutMilliseconds: 500 }),
          `${fault} ${bit}`,
        );
        firstCounter += 100;
      }
    own.faults.arm(undefined);
    await using client = await openTcpSession({ record, port, firstCounter });
    const rows = await readProfileRange(client.session, "1.0.99.1.0.255", {
      from: dateTimeAt((from + 1) * 1000),
      to: dateTimeAt(to * 1000),
    });
    assert.deepEqual(
      rows.map((row) => (row[2] as { readonly value: number }).value),
      drawn?.values.map(([, count]) => count),
    );
  });
});
