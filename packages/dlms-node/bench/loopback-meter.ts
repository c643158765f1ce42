import { createSecretKey, type KeyObject } from "node:crypto";
import { createInterface } from "node:readline";
import {
  CosemServer,
  deviceModel,
  fromHex,
  fullAccess,
  mount,
  Register,
  serveProfile,
  systemTitle,
} from "@meterkeep/dlms";
import { listenWrapper, nodeCiphers, nodeKeyWrap, nodeRandom } from "@meterkeep/dlms-node";
import { BENCH_PROFILES, benchRows } from "./loopback-profiles.ts";

// The meter of the loopback bench, in a process of its own: a register and load profiles behind mechanism 5 in suite 0,
// everything authenticated and encrypted, counters kept. Says its port; says how many reads of the register it has served
// for every line on its standard input, and ends with that.

const SETUP = "0.0.43.0.0.255";
const keys = {
  globalUnicastEncryptionKey: createSecretKey(fromHex("000102030405060708090a0b0c0d0e0f")),
  authenticationKey: fromHex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"),
  keyEncryptionKey: createSecretKey(fromHex("31".repeat(16))),
};
let sent = 0;
let lowest = 0;
/** Reads of the register, and when each hundredth came. */
let trips = 0;
let marks: number[] = [];
const TRIPS_A_MARK = 100;
const COLUMNS = Array.from({ length: 6 }, (_, column) => ({
  classId: column === 0 ? 8 : column === 1 ? 1 : 3,
  logicalName: column === 0 ? "0.0.1.0.0.255" : column === 1 ? "0.0.96.10.1.255" : `1.0.${column}.8.0.255`,
  attributeIndex: 2,
  dataIndex: 0,
}));
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
          scalerUnit: () => {
            if (trips % TRIPS_A_MARK === 0) marks.push(performance.now());
            trips += 1;
            return { scaler: -2, unit: 30 };
          },
        },
      }),
    ),
    ...BENCH_PROFILES.map(({ logicalName, rows }) =>
      mount(
        logicalName,
        serveProfile<undefined>({
          columns: COLUMNS,
          capturePeriod: 900,
          profileEntries: rows,
          deviation: 0,
          rows: () => benchRows(rows),
        }),
      ),
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
for await (const _ of createInterface(process.stdin)) {
  console.log(JSON.stringify({ trips, perSecond: laterRate() }));
  trips = 0;
  marks = [];
}
process.exit(0);

/** Reads a second in the later half, when everything is warm: of the hundreds in it the median, since others use the machine. */
function laterRate(): number {
  const half = marks.slice(marks.length >> 1);
  const hundreds = half.slice(1).map((mark, index) => mark - (half[index] ?? mark));
  const median = hundreds.sort((one, other) => one - other)[hundreds.length >> 1];
  return median === undefined ? 0 : Math.round((TRIPS_A_MARK * 1000) / median);
}
