import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { fromHex, toHex } from "@meterkeep/dlms";
import { onOctets, WrapperFrames } from "@meterkeep/dlms-node";
import { Concentrators } from "./concentrators.ts";
import { type RoutePorts, routeDial } from "./follow-route.ts";
import { NETWORK_TYPES, NETWORKS, type NetworkFacts, type NetworkType } from "./networks.ts";
import type { Route } from "./route.ts";

const NEVER = new AbortController().signal;
const SAPS = { clientSap: 1, serverSap: 1 };
const REQUEST = fromHex("C001C100010000010000FF0200");
/** So short that it is over at once, and so long that it cannot be what ended a test. */
const [SHORT, LONG] = [0.05, 3_600];

/** Patience that is endless but for one part of one network's: what ends is ended by that. */
function impatient(network: NetworkType, fact: keyof NetworkFacts): typeof NETWORKS {
  const endless = Object.fromEntries(Object.keys(NETWORKS.lan).map((name) => [name, LONG])) as unknown as NetworkFacts;
  const rows = NETWORK_TYPES.map((type) => [type, type === network ? { ...endless, [fact]: SHORT } : endless]);
  return Object.fromEntries(rows) as typeof NETWORKS;
}

/** A meter that is spoken with over TCP and does as `behave` says. */
async function meter(behave: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    behave(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    route: { kind: "tcp", host: "127.0.0.1", port } as const,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers so many requests, and then none. */
function answering(socket: Socket, times: number): void {
  const frames = new WrapperFrames();
  let left = times;
  onOctets(socket, (chunk) => {
    for (const _ of frames.push(chunk)) if (left-- > 0) socket.write(fromHex("0001000100010003C401C1"));
  });
}

async function lineTo(route: Route, networks: typeof NETWORKS, ports?: RoutePorts) {
  return routeDial(ports, networks)(route, SAPS, NEVER);
}

test("connectSeconds: a port that takes no connection is given up", async () => {
  // It listens, and its thread accepts nobody: what the queue does not hold is not answered.
  const worker = new Worker(
    `const { createServer } = require("node:net");
     const { parentPort } = require("node:worker_threads");
     const server = createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
     });`,
    { eval: true },
  );
  const [port] = (await once(worker, "message")) as [number];
  const route = { kind: "tcp", host: "127.0.0.1", port, network: "lan" } as const;
  const queued: Socket[] = [];
  try {
    for (let n = 0; n < 8; n += 1) queued.push(connect(port, "127.0.0.1").on("error", () => undefined));
    // The first ones may still find room.
    for (;;) {
      const line = await lineTo(route, impatient("lan", "connectSeconds")).catch((error: unknown) => error);
      if (line instanceof Error) {
        assert.equal((line as { code?: string }).code, "connect-timeout");
        break;
      }
    }
  } finally {
    for (const socket of queued) socket.destroy();
    await worker.terminate();
  }
});

test("associationSeconds: a meter that connects and keeps silent is given up", async () => {
  await using silent = await meter((socket) => answering(socket, 0));
  await using line = await lineTo(silent.route, impatient("cellular", "associationSeconds"));
  await assert.rejects(line.exchange(REQUEST, NEVER), { code: "response-timeout" });
});

test("responseSeconds: a meter that falls silent later is given up", async () => {
  await using tired = await meter((socket) => answering(socket, 1));
  await using line = await lineTo(tired.route, impatient("cellular", "responseSeconds"));
  assert.equal(toHex(await line.exchange(REQUEST, NEVER)), "c401c1");
  await assert.rejects(line.exchange(REQUEST, NEVER), { code: "response-timeout" });
});

test("frameSeconds: a frame whose octets drip is not waited for, and a header is part of it", async () => {
  for (const begun of ["0001", "00010001000100FFC4"]) {
    await using dripping = await meter((socket) => {
      const octets = [...fromHex(begun)];
      const drip = setInterval(() => socket.write(Uint8Array.of(octets.shift() ?? 0)), 15);
      socket.on("close", () => clearInterval(drip));
      // It never comes to the end of what it has begun.
      if (begun === "0001") octets.push(0, 1, 0, 1, 0xff, 0xff);
    });
    await using line = await lineTo({ ...dripping.route, network: "lan" }, impatient("lan", "frameSeconds"));
    await assert.rejects(line.exchange(REQUEST, NEVER), { code: "connection-closed", message: /did not end it/ });
  }
});

test("a length that no APDU has ends the connection at once", async () => {
  await using lying = await meter((socket) => socket.write(fromHex("0001000100010000")));
  await using line = await lineTo(lying.route, impatient("lan", "connectSeconds"));
  await assert.rejects(line.exchange(REQUEST, NEVER), { code: /frame-malformed|connection-closed/ });
});

test("a meter behind a gateway has the time of power-line carrier, whatever leads to the gateway", async () => {
  await using silent = await meter((socket) => answering(socket, 0));
  const gateway = { networkId: 0, physicalAddress: fromHex("0A0B") };
  await using line = await lineTo({ ...silent.route, gateway }, impatient("plc", "associationSeconds"));
  await assert.rejects(line.exchange(REQUEST, NEVER), { code: "response-timeout" });
});

test("a meter behind a concentrator has it, too, and its silence ends no other conversation", async () => {
  const [near, far] = duplexPair() as [Duplex, Duplex];
  far.resume();
  await using concentrators = new Concentrators({
    connect: async () => ({ stream: near, stands: async () => true }),
    onUnsolicited: () => undefined,
    onState: () => undefined,
    now: Date.now,
  });
  concentrators.place([{ name: "dc-1", host: "127.0.0.1", port: 1 }]);
  const to = (address: string): Route => ({
    kind: "concentrator",
    concentrator: "dc-1",
    networkId: 0,
    physicalAddress: fromHex(address),
  });
  await using line = await lineTo(to("0A"), impatient("plc", "associationSeconds"), { concentrators });
  await using other = await lineTo(to("0B"), impatient("lan", "wakeSeconds"), { concentrators });
  const waiting = other.exchange(REQUEST, NEVER);
  await assert.rejects(line.exchange(REQUEST, NEVER), { code: "response-timeout" });
  far.write(fromHex("0001000100010007E700010BC401C1"));
  assert.equal(toHex(await waiting), "c401c1");
});

test("patience is shorter than a session, and longer where a network is slower", () => {
  const { lan, cellular, plc } = NETWORKS;
  assert.ok(lan.connectSeconds < cellular.connectSeconds && cellular.responseSeconds < plc.responseSeconds);
  for (const { associationSeconds, responseSeconds, connectSeconds, frameSeconds } of Object.values(NETWORKS))
    assert.ok(connectSeconds + associationSeconds + responseSeconds < 300 && frameSeconds <= 10);
});
