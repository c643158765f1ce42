/**
 * A meter on a port of this machine: `node examples/dlms/be-a-meter.ts [PORT]`. It has an energy register, a clock and a
 * load profile of a month; the public client reads the register, the management client everything, with keys.
 */
import { createSecretKey, type KeyObject } from "node:crypto";
import {
  Clock,
  CosemServer,
  DataClass,
  dateTimeAt,
  dateTimeOctets,
  deviceModel,
  fullAccess,
  mount,
  onlyReading,
  type ProfileRows,
  Register,
  type SecuritySetupPort,
  serveProfile,
} from "@meterkeep/dlms";
import { listenWrapper, nodeCiphers, nodeKeyWrap, nodeRandom } from "@meterkeep/dlms-node";
import {
  AUTHENTICATION_KEY,
  CLOCK,
  ENCRYPTION_KEY,
  ENERGY,
  INVOCATION_COUNTER,
  LOAD_PROFILE,
  MANAGEMENT_CLIENT,
  METER_TITLE,
  PUBLIC_CLIENT,
  SECURITY_SETUP,
} from "./keys.ts";

interface Meter {
  readonly wattHours: number;
  /** In memory, since the keys are worth nothing. A real meter keeps them durably: none may serve twice under one key. */
  readonly counters: { sent: number; lowest: number };
}

const QUARTER_HOUR_S = 900;
const FIRST_ROW = Date.UTC(2026, 9, 1);

// Rows are computed when they are asked for; a real meter has them in its store.
const rows: ProfileRows = {
  length: 31 * 96,
  instant: (row) => FIRST_ROW + row * QUARTER_HOUR_S * 1000,
  writeCell(writer, row, column) {
    if (column === 0) {
      writer.unsigned8(9);
      writer.unsigned8(12);
      dateTimeOctets.encode(writer, dateTimeAt(rows.instant(row)));
    } else {
      writer.unsigned8(6);
      writer.unsigned32(1_000_000 + 57 * row);
    }
  },
};

const model = deviceModel<Meter>({
  objects: [
    mount(
      ENERGY,
      Register.serve<Meter>({
        get: {
          value: (meter) => ({ type: "double-long-unsigned", value: meter.wattHours }),
          scalerUnit: () => ({ scaler: 0, unit: 30 }),
        },
      }),
    ),
    mount(
      INVOCATION_COUNTER,
      DataClass.serve<Meter>({
        get: { value: ({ counters }) => ({ type: "double-long-unsigned", value: counters.lowest }) },
      }),
    ),
    mount(CLOCK, Clock.serve<Meter>({ get: { time: () => dateTimeAt(Date.now()) } })),
    mount(
      LOAD_PROFILE,
      serveProfile<Meter>({
        columns: [
          { classId: 8, logicalName: CLOCK, attributeIndex: 2, dataIndex: 0 },
          { classId: 3, logicalName: ENERGY, attributeIndex: 2, dataIndex: 0 },
        ],
        capturePeriod: QUARTER_HOUR_S,
        profileEntries: rows.length,
        deviation: 0,
        rows: () => rows,
      }),
    ),
  ],
  associations: [
    {
      name: "public",
      clientSap: PUBLIC_CLIENT,
      authentication: { kind: "none" },
      access: onlyReading(ENERGY, INVOCATION_COUNTER),
    },
    {
      name: "management",
      clientSap: MANAGEMENT_CLIENT,
      authentication: { kind: "gmac" },
      securitySetup: SECURITY_SETUP,
      access: fullAccess,
    },
  ],
});

const keys = {
  globalUnicastEncryptionKey: createSecretKey(ENCRYPTION_KEY),
  authenticationKey: AUTHENTICATION_KEY,
  keyEncryptionKey: createSecretKey(nodeRandom(16)),
};
const counters = { sent: 0, lowest: 0 };
const setup: SecuritySetupPort<KeyObject> = {
  suite: 0,
  policy: { authenticatedRequest: true, encryptedRequest: true, authenticatedResponse: true, encryptedResponse: true },
  systemTitle: METER_TITLE,
  keys: { current: () => keys, install: () => false },
  counters: {
    next: () => counters.sent++,
    lowestAcceptable: () => counters.lowest,
    accept: (counter) => {
      counters.lowest = counter + 1;
    },
  },
};

const server = new CosemServer<KeyObject, Meter>(model, {
  state: { wattHours: 1_234_567, counters },
  ciphers: nodeCiphers,
  keyWrap: nodeKeyWrap,
  importKey: (octets) => createSecretKey(octets),
  random: nodeRandom,
  securitySetup: (logicalName) => (logicalName === SECURITY_SETUP ? setup : undefined),
  checkPassword: () => false,
  setPassword: () => false,
});
const listener = await listenWrapper({ server, port: Number(process.argv[2] ?? 4059) });
console.log(`a meter listens on ${listener.host}:${listener.port}`);
