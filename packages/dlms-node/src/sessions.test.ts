import assert from "node:assert/strict";
import { createSecretKey, type KeyObject } from "node:crypto";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import {
  attribute,
  type ConformanceBit,
  CosemServer,
  type Device,
  d,
  decode,
  deviceModel,
  encode,
  fullAccess,
  interfaceClass,
  localAssociator,
  mount,
  OFFERED_CONFORMANCE,
  openSession,
} from "@meterkeep/dlms";
import { connectHdlc } from "./hdlc-client.ts";
import { listenHdlc } from "./hdlc-server.ts";
import { type ApduConnection, nodeCiphers, nodeKeyWrap, nodeRandom } from "./index.ts";
import { MbusConnection } from "./mbus-client.ts";
import { serveMbus } from "./mbus-server.ts";
import { connectWrapperUdp } from "./udp-client.ts";
import { listenWrapperUdp } from "./udp-server.ts";
import { connectWrapper } from "./wrapper-client.ts";
import { listenWrapper } from "./wrapper-server.ts";

const NAME = "0.0.96.1.9.255";
/** A text that the meter keeps. */
const Text = interfaceClass({
  id: 1,
  version: 0,
  name: "Text",
  attributes: { value: attribute(2, d.octetString) },
  methods: {},
});

interface State {
  text: Uint8Array;
}

const model = deviceModel<State>({
  objects: [
    mount(
      NAME,
      Text.serve<State>({
        get: { value: (state) => state.text },
        set: { value: (text, state) => Object.assign(state, { text: text.slice() }) },
      }),
    ),
  ],
  associations: [{ name: "public", clientSap: 16, authentication: { kind: "none" }, access: fullAccess }],
});

function meter(): CosemServer<KeyObject, State> {
  const device: Device<KeyObject, State> = {
    state: { text: new Uint8Array(0) },
    ciphers: nodeCiphers,
    keyWrap: nodeKeyWrap,
    importKey: (octets) => createSecretKey(octets),
    random: nodeRandom,
    securitySetup: () => undefined,
    checkPassword: () => false,
    setPassword: () => false,
  };
  return new CosemServer(model, device, { blockWindow: 4 });
}

interface Opened extends AsyncDisposable {
  readonly connection: ApduConnection;
}

async function opened(
  listener: AsyncDisposable & { host: string; port: number },
  connect: (host: string, port: number) => Promise<ApduConnection>,
): Promise<Opened> {
  const connection = await connect(listener.host, listener.port);
  return {
    connection,
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await listener[Symbol.asyncDispose]();
    },
  };
}

const SAPS = { clientSap: 16, serverSap: 1 };
const WIDE = { maxTransmitBytes: 400, maxReceiveBytes: 300, windowTransmit: 5, windowReceive: 3 };

const LINES: Readonly<Record<string, () => Promise<Opened>>> = {
  "the wrapper over TCP": async () =>
    opened(await listenWrapper({ server: meter() }), (host, port) => connectWrapper({ host, port, ...SAPS })),
  "the wrapper over UDP": async () =>
    opened(await listenWrapperUdp({ server: meter() }), (host, port) => connectWrapperUdp({ host, port, ...SAPS })),
  "HDLC over TCP": async () =>
    opened(await listenHdlc({ server: meter(), logicalDevices: [1] }), (host, port) =>
      connectHdlc({ host, port, clientAddress: 16, server: { logicalDevice: 1 } }),
    ),
  "HDLC over TCP with wide windows": async () =>
    opened(await listenHdlc({ server: meter(), logicalDevices: [1], parameters: WIDE }), (host, port) =>
      connectHdlc({
        host,
        port,
        clientAddress: 16,
        server: { logicalDevice: 1, physicalDevice: 9, bytes: 4 },
        parameters: WIDE,
      }),
    ),
  "a wired M-Bus": async () => {
    const [ours, theirs] = duplexPair();
    serveMbus(theirs, { server: meter(), address: 5, serverSaps: [1] });
    const connection = new MbusConnection(ours, { address: 5, ...SAPS, pollIntervalMilliseconds: 1 }, "the bus");
    await connection.open();
    return { connection, [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose]() };
  },
};

const SERVICE_BLOCKS: readonly ConformanceBit[] = [
  "block-transfer-with-get-or-read",
  "block-transfer-with-set-or-write",
  "block-transfer-with-action",
];

for (const [name, open] of Object.entries(LINES))
  for (const windowBlocks of [undefined, 1, 6])
    test(`a long text is written and read over ${name}, ${windowBlocks === undefined ? "in blocks of the services" : `in general blocks, window ${windowBlocks}`}`, async () => {
      await using line = await open();
      const { exchange, line: oneWay } = line.connection;
      const isGeneral = windowBlocks !== undefined;
      const session = await openSession({
        exchange,
        line: oneWay,
        ...(isGeneral ? { blockTransfer: { windowBlocks } } : {}),
        associator: localAssociator({
          authentication: { kind: "none" },
          maxReceivePduSize: 500,
          conformance: OFFERED_CONFORMANCE.filter((bit) =>
            isGeneral ? !SERVICE_BLOCKS.includes(bit) : bit !== "general-block-transfer",
          ),
        }),
      });
      const text = Uint8Array.from({ length: 20_000 }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
      const address = { classId: 1, logicalName: NAME, attributeId: 2 };
      await session.set(address, encode(d.octetString, text));
      assert.deepEqual(Buffer.from(decode(d.octetString, await session.get(address))), Buffer.from(text));
      await session.release();
    });
