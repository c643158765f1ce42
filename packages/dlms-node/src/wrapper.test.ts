import assert from "node:assert/strict";
import { createSecretKey, type KeyObject } from "node:crypto";
import { connect } from "node:net";
import { test } from "node:test";
import {
  type AssociationConfig,
  CosemServer,
  type Device,
  deviceModel,
  frameCountersFrom,
  fromHex,
  fullAccess,
  localAssociator,
  mount,
  openSession,
  Register,
  remote,
  risingCountersFrom,
  type SecuritySetupPort,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeKeyWrap, nodeRandom } from "./index.ts";
import { listenForPushesTcp, listenForPushesUdp, type ReceivedPush, sendPush } from "./push-transport.ts";
import { connectWrapper, type WrapperTarget } from "./wrapper-client.ts";
import { WrapperFrames } from "./wrapper-frames.ts";
import { listenWrapper, type WrapperListenerOptions } from "./wrapper-server.ts";

const SETUP = "0.0.43.0.0.255";
const ENERGY = "1.0.1.8.0.255";
const GUEK = fromHex("000102030405060708090a0b0c0d0e0f");
const GAK = fromHex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf");
const POLICY = {
  authenticatedRequest: true,
  encryptedRequest: true,
  authenticatedResponse: true,
  encryptedResponse: true,
};

const model = deviceModel({
  objects: [mount(ENERGY, Register.serve({ get: { value: () => ({ type: "double-long-unsigned", value: 42 }) } }))],
  associations: [
    {
      name: "management",
      clientSap: 1,
      authentication: { kind: "gmac" },
      securitySetup: SETUP,
      access: fullAccess,
    },
  ],
});

function meter(): CosemServer<KeyObject> {
  const keys = {
    globalUnicastEncryptionKey: createSecretKey(GUEK),
    authenticationKey: GAK,
    keyEncryptionKey: createSecretKey(fromHex("31313131313131313131313131313131")),
  };
  let [next, lowest] = [0, 0];
  const setup: SecuritySetupPort<KeyObject> = {
    suite: 0,
    policy: POLICY,
    systemTitle: systemTitle(fromHex("4d4b4d0000000001")),
    keys: { current: () => keys, install: () => false },
    counters: {
      next: () => next++,
      lowestAcceptable: () => lowest,
      accept: (counter) => {
        lowest = counter + 1;
      },
    },
  };
  const device: Device<KeyObject> = {
    state: undefined,
    ciphers: nodeCiphers,
    keyWrap: nodeKeyWrap,
    importKey: (octets) => createSecretKey(octets),
    random: nodeRandom,
    securitySetup: (name) => (name === SETUP ? setup : undefined),
    checkPassword: () => false,
    setPassword: () => false,
  };
  return new CosemServer(model, device);
}

function clientConfig(): AssociationConfig<KeyObject> {
  return {
    authentication: { kind: "gmac", challenge: nodeRandom(16) },
    systemTitle: systemTitle(fromHex("4d4b480000000001")),
    ciphering: {
      ciphers: nodeCiphers,
      suite: 0,
      authenticated: true,
      encrypted: true,
      form: "global",
      encryptionKey: createSecretKey(GUEK),
      authenticationKey: GAK,
    },
  };
}

type Transmit = NonNullable<WrapperListenerOptions<unknown>["transmit"]>;

async function lineTo(transmit?: Transmit, target: Partial<WrapperTarget> = {}) {
  const listener = await listenWrapper({ server: meter(), ...(transmit === undefined ? {} : { transmit }) });
  const { host, port } = listener;
  const connection = await connectWrapper({ host, port, clientSap: 1, serverSap: 1, ...target });
  return {
    listener,
    connection,
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await listener[Symbol.asyncDispose]();
    },
  };
}

function associator(first = 1) {
  return localAssociator(clientConfig(), {
    frameCounters: frameCountersFrom(first),
    receivedCounters: risingCountersFrom(0),
  });
}

const never = new AbortController().signal;

test("a meter is read over TCP on loopback, secured, twice on one connection", async () => {
  await using line = await lineTo();
  for (const first of [1, 100]) {
    const session = await openSession({ exchange: line.connection.exchange, associator: associator(first) });
    assert.deepEqual(await remote(session, Register, ENERGY).get("value"), {
      type: "double-long-unsigned",
      value: 42,
    });
    await session.release();
  }
});

test("a meter that keeps silent costs one time-out, and the connection is closed", async () => {
  await using line = await lineTo(() => {}, { responseTimeoutMilliseconds: 20 });
  const opening = openSession({ exchange: line.connection.exchange, associator: associator() });
  await assert.rejects(opening, { code: "response-timeout" });
  await assert.rejects(line.connection.exchange(fromHex("c001"), never), { code: "response-timeout" });
});

test("a meter that resets the connection, or answers with what is no wrapper, is told apart", async () => {
  await using reset = await lineTo((_, { drop }) => drop());
  await assert.rejects(reset.connection.exchange(fromHex("c001"), never), { code: "connection-closed" });
  await using garbage = await lineTo((_, { sendRaw }) => sendRaw(fromHex("7ea0070321935a647e")));
  await assert.rejects(garbage.connection.exchange(fromHex("c001"), never), { code: "frame-malformed" });
});

test("an exchange can be cancelled, and two at once are refused", async () => {
  await using line = await lineTo(() => {});
  const controller = new AbortController();
  const waiting = line.connection.exchange(fromHex("c001"), controller.signal);
  await assert.rejects(line.connection.exchange(fromHex("c001"), never), { code: "exchange-busy" });
  controller.abort();
  await assert.rejects(waiting, { code: "exchange-aborted" });
});

test("a push between request and response is no response", async () => {
  const unsolicited: Uint8Array[] = [];
  const push = fromHex("0f000000010000");
  const transmit: Transmit = (apdu, { send }) => {
    send(push);
    send(apdu);
  };
  await using line = await lineTo(transmit, { onUnsolicited: (apdu) => unsolicited.push(Uint8Array.from(apdu)) });
  const response = await line.connection.exchange(fromHex("c001"), never);
  assert.equal(response[0], 0xd8);
  assert.deepEqual(unsolicited, [push]);
});

test("a frame is found however the stream is cut", () => {
  const frame = fromHex("0001 0001 0010 0003 c00101");
  for (let cut = 0; cut <= frame.length; cut += 1) {
    const frames = new WrapperFrames();
    const found = [...frames.push(frame.subarray(0, cut)), ...frames.push(frame.subarray(cut)), ...frames.push(frame)];
    assert.deepEqual(
      found.map(({ source, destination, apdu }) => [source, destination, apdu.length]),
      [
        [1, 16, 3],
        [1, 16, 3],
      ],
    );
  }
  assert.throws(() => new WrapperFrames().push(fromHex("0002000100100000")), { code: "frame-malformed" });
});

test("who connects beyond the limit is turned away, and nonsense closes only its own connection", async () => {
  await using listener = await listenWrapper({ server: meter(), maxConnections: 1 });
  const { host, port } = listener;
  await using first = await connectWrapper({ host, port, clientSap: 16, serverSap: 1 });
  const second = connect(port, host);
  await new Promise<void>((resolve) => second.once("close", () => resolve()));
  assert.equal((await first.exchange(fromHex("c001"), never))[0], 0xd8);
});

test("a port where nobody listens is refused, and a listener on a taken port says so", async () => {
  const listener = await listenWrapper({ server: meter() });
  const { host, port } = listener;
  await assert.rejects(listenWrapper({ server: meter(), port }), { code: "listen-failed" });
  await listener[Symbol.asyncDispose]();
  await assert.rejects(connectWrapper({ host, port, clientSap: 1, serverSap: 1 }), { code: "connection-failed" });
});

test("pushes arrive over TCP and UDP with the wrapper's ports", async () => {
  const push = fromHex("0f000000010000");
  for (const [transport, listen] of [
    ["tcp", listenForPushesTcp],
    ["udp", listenForPushesUdp],
  ] as const) {
    const { promise, resolve } = Promise.withResolvers<ReceivedPush>();
    await using listener = await listen({ onPush: resolve });
    const { host, port } = listener;
    await sendPush(push, { transport, host, port, sourceSap: 1, destinationSap: 102 });
    const { apdu, source, destination, transport: came } = await promise;
    assert.deepEqual([[...apdu], source, destination, came], [[...push], 1, 102, transport]);
  }
});
