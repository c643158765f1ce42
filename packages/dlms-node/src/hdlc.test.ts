import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { fromHex, toHex } from "@meterkeep/dlms";
import type { ApduServer } from "./apdu-server.ts";
import { gatewayServer } from "./gateway-server.ts";
import { connectHdlc, type HdlcTarget } from "./hdlc-client.ts";
import { type HdlcListenerOptions, type HdlcNotify, listenHdlc } from "./hdlc-server.ts";
import { connectWrapper } from "./wrapper-client.ts";
import { listenWrapper } from "./wrapper-server.ts";

const never = new AbortController().signal;

/** Answers with what it was asked, behind the addresses; `00` is answered by nothing, `01` by three APDUs. */
export function echoServer(events: string[] = [], name = "echo"): ApduServer<string> {
  let following: Uint8Array[] = [];
  return {
    connect: (client, server) => {
      events.push(`${name} connect ${client} ${server}`);
      return `${client} ${server}`;
    },
    handle: (_, apdu) => {
      events.push(`${name} ${toHex(apdu.subarray(0, 8))}`);
      if (apdu[0] === 0) return undefined;
      following = apdu[0] === 1 ? [fromHex("e002"), fromHex("e003")] : [];
      return apdu[0] === 1 ? fromHex("e001") : apdu;
    },
    following: () => following.splice(0),
    disconnect: (connection) => events.push(`${name} disconnect ${connection}`),
  };
}

async function lineTo(
  options: Partial<HdlcListenerOptions<string>> = {},
  target: Partial<HdlcTarget> = {},
  events: string[] = [],
) {
  const listener = await listenHdlc({ server: echoServer(events), logicalDevices: [1], ...options });
  const { host, port } = listener;
  const connection = await connectHdlc({ host, port, clientAddress: 16, server: { logicalDevice: 1 }, ...target });
  return {
    listener,
    connection,
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await listener[Symbol.asyncDispose]();
    },
  };
}

test("APDUs of any length go over HDLC and TCP, and the connection is ended with DISC", async () => {
  const events: string[] = [];
  {
    await using line = await lineTo({}, { parameters: { windowTransmit: 3 } }, events);
    for (const length of [1, 200, 5000]) {
      const apdu = new Uint8Array(length).fill(0xc0);
      assert.deepEqual(Buffer.from(await line.connection.exchange(apdu, never)), Buffer.from(apdu));
    }
  }
  assert.equal(events[0], "echo connect 16 1");
  assert.equal(events.at(-1), "echo disconnect 16 1");
});

test("further APDUs of an answer come one by one, and silence is told without closing", async () => {
  await using line = await lineTo({}, { responseTimeoutMilliseconds: 60, pollIntervalMilliseconds: 10 });
  const { exchange, line: oneWay } = line.connection;
  assert.equal(toHex(await exchange(fromHex("01"), never)), "e001");
  assert.equal(toHex((await oneWay.receive(never)) ?? fromHex("")), "e002");
  assert.equal(toHex((await oneWay.receive(never)) ?? fromHex("")), "e003");
  assert.equal(await oneWay.receive(never), undefined);
  await oneWay.send(fromHex("0001"));
  assert.equal(toHex(await exchange(fromHex("c005"), never)), "c005");
  await oneWay.send(fromHex("c006"));
  assert.equal(toHex((await oneWay.receive(never)) ?? fromHex("")), "c006");
});

test("a meter that has no answer costs one time-out, and the connection is closed", async () => {
  await using line = await lineTo({}, { responseTimeoutMilliseconds: 40, pollIntervalMilliseconds: 5 });
  await assert.rejects(line.connection.exchange(fromHex("00"), never), { code: "response-timeout" });
  await assert.rejects(line.connection.exchange(fromHex("c0"), never), { code: "response-timeout" });
});

test("an exchange can be cancelled, two at once are refused, and so is one on a closed connection", async () => {
  await using line = await lineTo({ transmit: () => {} });
  const controller = new AbortController();
  const waiting = line.connection.exchange(fromHex("c001"), controller.signal);
  // Handled below, whenever it is rejected.
  waiting.catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(line.connection.exchange(fromHex("c001"), never), { code: "exchange-busy" });
  controller.abort();
  await assert.rejects(waiting, { code: "exchange-aborted" });
  await assert.rejects(line.connection.exchange(fromHex("c001"), never), { code: "exchange-aborted" });
});

test("who is not there, refuses, hangs up or is not wanted any more is told apart", async () => {
  await using listener = await listenHdlc({ server: echoServer(), logicalDevices: [1] });
  const { host, port } = listener;
  const target = {
    host,
    port,
    clientAddress: 16,
    server: { logicalDevice: 2 },
    frameTimeoutMilliseconds: 15,
    retries: 1,
  };
  await assert.rejects(connectHdlc(target), { code: "line-silent" });
  const controller = new AbortController();
  const connecting = connectHdlc({ ...target, frameTimeoutMilliseconds: 10_000, signal: controller.signal });
  setImmediate(() => controller.abort());
  await assert.rejects(connecting, { code: "exchange-aborted" });

  const rude = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => rude.listen(0, "127.0.0.1", resolve));
  const address = rude.address();
  assert.ok(typeof address === "object" && address !== null);
  await assert.rejects(connectHdlc({ ...target, port: address.port }), { code: "connection-closed" });
  await new Promise<void>((resolve) => rude.close(() => resolve()));
});

test("a push comes between an answer and the next request, and is no answer", async () => {
  const unsolicited: string[] = [];
  const lines: HdlcNotify[] = [];
  await using line = await lineTo(
    { onLine: (notify) => lines.push(notify) },
    { onUnsolicited: (apdu) => unsolicited.push(toHex(apdu)) },
  );
  lines[0]?.({ clientAddress: 16, logicalDevice: 1 }, fromHex("0f0000"));
  assert.equal(toHex(await line.connection.exchange(fromHex("c001"), never)), "c001");
  assert.deepEqual(unsolicited, ["0f0000"]);
});

test("a broadcast reaches the meter, and nothing answers", async () => {
  const events: string[] = [];
  {
    await using line = await lineTo({}, {}, events);
    line.connection.broadcast(fromHex("c1ff"));
    assert.equal(toHex(await line.connection.exchange(fromHex("c001"), never)), "c001");
  }
  assert.deepEqual(events.slice(1, 4), ["echo connect 16 127", "echo c1ff", "echo disconnect 16 127"]);
});

test("a reset connection ends what waits", async () => {
  await using line = await lineTo({ transmit: (_, { drop }) => drop() });
  await assert.rejects(line.connection.exchange(fromHex("c001"), never), { code: "connection-closed" });
});

test("nonsense on a port changes nothing for others", async () => {
  await using line = await lineTo();
  const { host, port } = line.listener;
  const noise = connect(port, host);
  await new Promise<void>((resolve) => noise.write(Buffer.alloc(10_000, 0x7e), () => resolve()));
  assert.equal(toHex(await line.connection.exchange(fromHex("c0"), never)), "c0");
  noise.destroy();
});

test("devices behind a gateway are reached through it, each apart, over the wrapper and over HDLC", async () => {
  const events: string[] = [];
  const gas = { networkId: 1, physicalAddress: fromHex("4741530001") };
  const find = ({ networkId, physicalAddress }: typeof gas) =>
    networkId === 1 && toHex(physicalAddress) === "4741530001" ? echoServer(events, "gas") : undefined;
  const server = gatewayServer(echoServer(events, "own"), find);
  await using wrapper = await listenWrapper({ server });
  await using hdlc = await listenHdlc({ server, logicalDevices: [1] });
  const { host } = wrapper;
  const saps = { clientSap: 1, serverSap: 1 };
  const hdlcTarget = { host, port: hdlc.port, clientAddress: 1, server: { logicalDevice: 1 } };
  for (const open of [
    (gateway: { gateway?: typeof gas }) => connectWrapper({ host, port: wrapper.port, ...saps, ...gateway }),
    (gateway: { gateway?: typeof gas }) => connectHdlc({ ...hdlcTarget, ...gateway }),
  ]) {
    events.length = 0;
    {
      await using toGas = await open({ gateway: gas });
      assert.equal(toHex(await toGas.exchange(fromHex("c001"), never)), "c001");
      await using toGateway = await open({});
      assert.equal(toHex(await toGateway.exchange(fromHex("c002"), never)), "c002");
    }
    assert.ok(events.includes("gas c001") && events.includes("own c002"));
    assert.ok(!events.includes("own c001") && !events.includes("gas c002"));
  }
  await using lost = await connectWrapper({
    ...{ host, port: wrapper.port, ...saps, responseTimeoutMilliseconds: 20 },
    gateway: { networkId: 2, physicalAddress: fromHex("00") },
  });
  await assert.rejects(lost.exchange(fromHex("c001"), never), { code: "response-timeout" });
});
