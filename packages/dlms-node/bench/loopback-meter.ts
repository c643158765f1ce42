import { createSecretKey, type KeyObject } from "node:crypto";
import { CosemServer, deviceModel, fromHex, fullAccess, mount, Register, systemTitle } from "@meterkeep/dlms";
import { listenWrapper, nodeCiphers, nodeKeyWrap, nodeRandom } from "@meterkeep/dlms-node";

// The meter of the loopback bench, in a process of its own: one register behind mechanism 5 in suite 0, everything
// authenticated and encrypted, counters kept. Says its port, and ends with its standard input.

const SETUP = "0.0.43.0.0.255";
const keys = {
  globalUnicastEncryptionKey: createSecretKey(fromHex("000102030405060708090a0b0c0d0e0f")),
  authenticationKey: fromHex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"),
  keyEncryptionKey: createSecretKey(fromHex("31".repeat(16))),
};
let sent = 0;
let lowest = 0;
const setup = {
  suite: 0,
  policy: { authenticatedRequest: true, encryptedRequest: true, authenticatedResponse: true, encryptedResponse: true },
  systemTitle: systemTitle(fromHex("4d4b4d0000000001")),
  keys: { current: () => keys, install: () => false },
  counters: {
    next: () => sent++,
    lowestAcceptable: () => lowest,
    accept: (counter: number) => {
      lowest = counter + 1;
    },
  },
} as const;

const model = deviceModel<undefined>({
  objects: [
    mount(
      "1.0.1.8.0.255",
      Register.serve<undefined>({
        get: {
          value: () => ({ type: "double-long-unsigned", value: 123_456_789 }),
          scalerUnit: () => ({ scaler: -2, unit: 30 }),
        },
      }),
    ),
  ],
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

const server = new CosemServer<KeyObject, undefined>(model, {
  state: undefined,
  ciphers: nodeCiphers,
  keyWrap: nodeKeyWrap,
  importKey: (octets) => createSecretKey(octets),
  random: nodeRandom,
  securitySetup: (logicalName) => (logicalName === SETUP ? setup : undefined),
  checkPassword: () => false,
  setPassword: () => false,
});

const listener = await listenWrapper({ server });
console.log(listener.port);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
