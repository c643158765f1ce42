import { createCipheriv, createDecipheriv } from "node:crypto";
import { fromHex } from "../bytes.ts";
import type { AssociationConfig } from "../client/association-config.ts";
import type { BlockTransferSettings } from "../client/block-carrier.ts";
import { localAssociator } from "../client/local-associator.ts";
import type { Exchange, ExchangeEvent, Line } from "../client/ports.ts";
import { type FrameCounters, frameCountersFrom, risingCountersFrom } from "../client/protection.ts";
import { openSession, type Session } from "../client/session.ts";
import { Clock } from "../cosem/classes/clock.ts";
import { DataClass } from "../cosem/classes/data-class.ts";
import { DisconnectControl } from "../cosem/classes/disconnect-control.ts";
import { Register } from "../cosem/classes/register.ts";
import { attribute, interfaceClass, method } from "../cosem/interface-class.ts";
import { refuse } from "../cosem/refusal.ts";
import { selector } from "../cosem/selective-access.ts";
import { d } from "../data/d.ts";
import { data } from "../data/data.ts";
import { dateTimeAt } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import type { CipheringForm } from "../security/layers.ts";
import type { KeyWrap } from "../security/ports.ts";
import { type SoftwareKey, softwareCiphers, softwareKey } from "../security/software-aes.ts";
import type { SecuritySuiteId } from "../security/suites.ts";
import { fullAccess, onlyReading } from "../server/access.ts";
import type { Connection } from "../server/connection.ts";
import { deviceModel, mount } from "../server/device-model.ts";
import type { Device, KeyPurpose, KeySet, SecurityPolicy, SecuritySetupPort, ServerEvent } from "../server/ports.ts";
import { serveProfile } from "../server/profile.ts";
import { serveSecuritySetup } from "../server/security-setup-object.ts";
import { CosemServer, type ServerOptions } from "../server/server.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";

// A meter in memory for the tests of client and server: every kind of association, keys that change, an event list.

/** What the method `crash` throws. */
export class MeterFault extends Error {}

/** A class of our own: what no standard class has small enough for a test. */
export const Echo = interfaceClass({
  id: 9000,
  name: "Echo",
  version: 0,
  attributes: { text: attribute(2, d.octetString, { from: selector(1, d.longUnsigned) }) },
  methods: { repeat: method(1, d.octetString, d.octetString), fail: method(2), crash: method(3) },
});

export interface MeterState {
  wattHours: number;
  connected: boolean;
  text: Uint8Array;
  password: Uint8Array;
  readonly captures: readonly { readonly at: number; readonly wattHours: number }[];
}

export const ENERGY = "1.0.1.8.0.255";
export const PROFILE = "1.0.99.1.0.255";
export const CLOCK = "0.0.1.0.0.255";
export const SETUP = "0.0.43.0.0.255";
export const ECHO = "0.0.96.1.9.255";
export const SWITCH = "0.0.96.3.10.255";
export const NAME = "0.0.42.0.0.255";
export const CLIENTS = { public: 16, reader: 17, management: 1, fixed: 102, short: 48, writer: 18 } as const;

const START = Date.UTC(2026, 10, 21);
const QUARTER = 15 * 60_000;
const column = (classId: number, logicalName: string) => ({ classId, logicalName, attributeIndex: 2, dataIndex: 0 });

export const MODEL = deviceModel<MeterState>({
  objects: [
    mount(
      NAME,
      DataClass.serve({ get: { value: () => ({ type: "octet-string", value: fromHex("4d4b4d") }) } }),
      0x0200,
    ),
    mount(
      CLOCK,
      Clock.serve({
        get: { time: () => dateTimeAt(START), timeZone: () => 0 },
        set: { time: () => refuse("temporary-failure") },
      }),
    ),
    mount(
      ENERGY,
      Register.serve<MeterState>({
        get: {
          value: ({ wattHours }) => ({ type: "double-long-unsigned", value: wattHours }),
          scalerUnit: () => ({ scaler: 0, unit: 30 }),
        },
        call: { reset: (_, state) => void Object.assign(state, { wattHours: 0 }) },
      }),
    ),
    mount(
      SWITCH,
      DisconnectControl.serve<MeterState>({
        get: {
          outputState: ({ connected }) => connected,
          controlState: ({ connected }) => (connected ? "connected" : "disconnected"),
          controlMode: () => 4,
        },
        call: {
          remoteDisconnect: (_, state) => void Object.assign(state, { connected: false }),
          remoteReconnect: (_, state) => void Object.assign(state, { connected: true }),
        },
      }),
    ),
    mount(
      PROFILE,
      serveProfile<MeterState>({
        columns: [column(8, CLOCK), column(3, ENERGY)],
        capturePeriod: 900,
        profileEntries: 3000,
        deviation: 0,
        rows: ({ captures }) => ({
          length: captures.length,
          instant: (row) => captures[row]?.at ?? 0,
          isInOrder: true,
          writeCell(writer, row, at) {
            const capture = captures[row] ?? { at: 0, wattHours: 0 };
            if (at === 0) d.dateTime.encode(writer, dateTimeAt(capture.at));
            else data.encode(writer, { type: "double-long-unsigned", value: capture.wattHours });
          },
        }),
      }),
    ),
    mount(
      ECHO,
      Echo.serve<MeterState>({
        get: { text: ({ text }, _, from) => text.subarray(from?.value ?? 0) },
        set: { text: (text, state) => void Object.assign(state, { text: text.slice() }) },
        setPart: {
          text(part, from, state) {
            if (from.value + part.length > state.text.length) return refuse("scope-of-access-violated");
            const text = state.text.slice();
            text.set(part, from.value);
            return Object.assign(state, { text });
          },
        },
        call: {
          repeat: (text) => Uint8Array.from([...text, ...text]),
          fail: () => refuse("hardware-fault"),
          crash: () => {
            throw new MeterFault("a fault of the meter's program");
          },
        },
      }),
    ),
    mount(SETUP, serveSecuritySetup<MeterState>()),
  ],
  associations: [
    {
      name: "public",
      clientSap: CLIENTS.public,
      authentication: { kind: "none" },
      access: onlyReading(NAME, CLOCK),
    },
    { name: "reader", clientSap: CLIENTS.reader, authentication: { kind: "lls" }, access: () => ({ read: "all" }) },
    {
      name: "management",
      clientSap: CLIENTS.management,
      authentication: { kind: "gmac" },
      securitySetup: SETUP,
      maxReceivePduSize: 512,
      associationVersion: 3,
      access: fullAccess,
    },
    { name: "writer", clientSap: CLIENTS.writer, authentication: { kind: "lls" }, access: fullAccess },
    {
      name: "short",
      clientSap: CLIENTS.short,
      authentication: { kind: "lls" },
      shortNameVersion: 2,
      maxReceivePduSize: 300,
      access: fullAccess,
    },
    {
      name: "fixed",
      clientSap: CLIENTS.fixed,
      authentication: { kind: "none" },
      securitySetup: SETUP,
      preEstablished: true,
      access: () => ({ read: "all", require: ["authenticated"] }),
    },
  ],
});

export const NO_POLICY: SecurityPolicy = {
  authenticatedRequest: false,
  encryptedRequest: false,
  authenticatedResponse: false,
  encryptedResponse: false,
};

export const SERVER_TITLE: SystemTitle = systemTitle(fromHex("4d4b4d0000000001"));
export const CLIENT_TITLE: SystemTitle = systemTitle(fromHex("4d4b480000000001"));

/** A key of `length` octets that count up from `first`. */
export function testKey(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (first + at) & 0xff);
}

/** The octets of all keys of a setup. */
export type KeyOctets = Readonly<Record<KeyPurpose, Uint8Array>>;

export function testKeys(suite: SecuritySuiteId, first = 0): KeyOctets {
  const length = suite === 2 ? 32 : 16;
  return {
    globalUnicastEncryptionKey: testKey(first, length),
    globalBroadcastEncryptionKey: testKey(first + 0x40, length),
    authenticationKey: testKey(first + 0x80, length),
    keyEncryptionKey: testKey(first + 0xc0, length),
  };
}

/** RFC 3394 by node:crypto. */
export const testKeyWrap: KeyWrap<SoftwareKey> & { wrapOctets(kek: Uint8Array, key: Uint8Array): Uint8Array } = {
  wrap: () => {
    throw new Error("a meter does not wrap");
  },
  unwrap: (kek, wrapped) => {
    const octets = KEK_OCTETS.get(kek);
    if (octets === undefined) throw new Error("not a key of the fixture");
    try {
      const decipher = createDecipheriv(wrapName(octets), octets, Buffer.alloc(8, 0xa6));
      return new Uint8Array(Buffer.concat([decipher.update(wrapped), decipher.final()]));
    } catch {
      return undefined;
    }
  },
  wrapOctets: (kek, key) => {
    const cipher = createCipheriv(wrapName(kek), kek, Buffer.alloc(8, 0xa6));
    return new Uint8Array(Buffer.concat([cipher.update(key), cipher.final()]));
  },
};

// Software keys do not give their octets back.
const KEK_OCTETS = new WeakMap<SoftwareKey, Uint8Array>();

function wrapName(kek: Uint8Array): string {
  return kek.length === 32 ? "id-aes256-wrap" : "id-aes128-wrap";
}

function keySet(octets: KeyOctets): KeySet<SoftwareKey> {
  const keyEncryptionKey = softwareKey(octets.keyEncryptionKey);
  KEK_OCTETS.set(keyEncryptionKey, octets.keyEncryptionKey);
  return {
    globalUnicastEncryptionKey: softwareKey(octets.globalUnicastEncryptionKey),
    globalBroadcastEncryptionKey: softwareKey(octets.globalBroadcastEncryptionKey),
    authenticationKey: octets.authenticationKey,
    keyEncryptionKey,
  };
}

export interface TestMeter {
  readonly server: CosemServer<SoftwareKey, MeterState>;
  readonly setup: SecuritySetupPort<SoftwareKey>;
  readonly state: MeterState;
  readonly events: ServerEvent[];
}

export interface TestMeterOptions extends ServerOptions {
  readonly suite?: SecuritySuiteId;
  readonly policy?: Partial<SecurityPolicy>;
  readonly keys?: KeyOctets;
  readonly rows?: number;
  readonly lockedOut?: (association: string) => boolean;
}

/** A meter with counters and keys in memory. */
export function testMeter(options: TestMeterOptions = {}): TestMeter {
  const { suite = 0, rows = 96 } = options;
  const events: ServerEvent[] = [];
  const state: MeterState = {
    wattHours: 1234,
    connected: true,
    text: testKey(0, 10),
    password: fromHex("3132333435363738"),
    captures: Array.from({ length: rows }, (_, at) => ({ at: START + at * QUARTER, wattHours: 1000 + at })),
  };
  let octets = options.keys ?? testKeys(suite);
  let keys = keySet(octets);
  let policy: SecurityPolicy = { ...NO_POLICY, ...options.policy };
  let lowest = 0;
  let next = 0;
  let challenge = 0;
  const setup: SecuritySetupPort<SoftwareKey> = {
    suite,
    systemTitle: SERVER_TITLE,
    clientSystemTitle: CLIENT_TITLE,
    get policy() {
      return policy;
    },
    keys: {
      current: () => keys,
      install(installed) {
        octets = { ...octets, ...Object.fromEntries(installed.map((key) => [key.purpose, key.octets])) };
        keys = keySet(octets);
        return true;
      },
    },
    counters: {
      next: () => next++,
      lowestAcceptable: () => lowest,
      accept: (counter) => {
        lowest = Math.max(lowest, counter + 1);
      },
    },
    activate(wanted) {
      policy = wanted;
      return true;
    },
  };
  const device: Device<SoftwareKey, MeterState> = {
    state,
    ciphers: softwareCiphers,
    keyWrap: testKeyWrap,
    importKey: softwareKey,
    random: (count) => {
      challenge += 1;
      return testKey(challenge, count);
    },
    securitySetup: (logicalName) => (logicalName === SETUP ? setup : undefined),
    checkPassword: (_, password) => Buffer.compare(password, state.password) === 0,
    setPassword: (_, password) => {
      state.password = password;
      return true;
    },
    lockedOut: (association) => options.lockedOut?.(association) ?? false,
    onEvent: (event) => events.push(event),
  };
  return { server: new CosemServer(MODEL, device, options), setup, state, events };
}

/** Carries APDUs to a server in memory, on a connection of its own. */
export function exchangeWith(meter: Pick<TestMeter, "server">, clientSap: number): Exchange {
  const connection = meter.server.connect(clientSap, 1);
  return async (apdu) => {
    // Copied both ways, as a line does: nobody may rely on the other's octets.
    const response = meter.server.handle(connection, apdu.slice());
    if (response === undefined) throw new Error("no answer");
    return response.slice();
  };
}

/** A line to a server in memory that is used one way at a time, and the exchange beside it. */
export function lineTo(
  meter: Pick<TestMeter, "server">,
  clientSap: number,
  onSent: (apdu: Uint8Array) => void = () => {},
): Line & { readonly exchange: Exchange; readonly connection: Connection<SoftwareKey, MeterState> } {
  const connection = meter.server.connect(clientSap, 1);
  const waiting: Uint8Array[] = [];
  const line = {
    send(apdu: Uint8Array): void {
      onSent(apdu);
      const response = meter.server.handle(connection, apdu.slice());
      if (response !== undefined) waiting.push(response.slice());
      waiting.push(...meter.server.following(connection).map((octets) => octets.slice()));
    },
    receive: async () => waiting.shift(),
  };
  return {
    ...line,
    connection,
    async exchange(apdu) {
      line.send(apdu);
      const response = waiting.shift();
      if (response === undefined) throw new Error("no answer");
      return response;
    },
  };
}

export interface CipheredClient {
  readonly suite?: SecuritySuiteId;
  readonly authenticated?: boolean;
  readonly encrypted?: boolean;
  readonly form?: CipheringForm;
  readonly keys?: KeyOctets;
}

/** The configuration of a management client with mechanism 5. */
export function managementConfig(client: CipheredClient = {}): AssociationConfig<SoftwareKey> {
  const { suite = 0, authenticated = true, encrypted = true, form = "global" } = client;
  const keys = client.keys ?? testKeys(suite);
  const dedicated = testKey(0x55, suite === 2 ? 32 : 16);
  return {
    authentication: { kind: "gmac", challenge: testKey(0xee, 16) },
    systemTitle: CLIENT_TITLE,
    ciphering: {
      ciphers: softwareCiphers,
      suite,
      authenticated,
      encrypted,
      form,
      encryptionKey: softwareKey(keys.globalUnicastEncryptionKey),
      authenticationKey: keys.authenticationKey,
      ...(form.endsWith("dedicated") ? { dedicatedKey: { octets: dedicated, key: softwareKey(dedicated) } } : {}),
    },
  };
}

export interface OpenOptions {
  readonly frameCounters?: FrameCounters;
  readonly onExchange?: (event: ExchangeEvent) => void;
  readonly exchange?: Exchange;
  readonly maxResponseBytes?: number;
  readonly line?: Line;
  readonly blockTransfer?: BlockTransferSettings;
}

/** Opens a session with a meter in memory. */
export function openTestSession(
  meter: TestMeter,
  clientSap: number,
  config: AssociationConfig<SoftwareKey>,
  options: OpenOptions = {},
): Promise<Session> {
  const { frameCounters = frameCountersFrom(1), exchange = exchangeWith(meter, clientSap), ...rest } = options;
  const associator = localAssociator(config, { frameCounters, receivedCounters: risingCountersFrom(0) });
  return openSession({ ...rest, exchange, associator });
}

export const NONE: AssociationConfig<SoftwareKey> = { authentication: { kind: "none" } };

/** A value with its type, for comparisons. */
export function unsigned32(value: number): Data {
  return { type: "double-long-unsigned", value };
}
