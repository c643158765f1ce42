import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import {
  AssociationLnV1,
  aesMechanism,
  buildPush,
  Clock,
  type Connection,
  CosemServer,
  DataClass,
  type Device,
  type DeviceModel,
  DisconnectControl,
  dateTimeAt,
  dateTimeOctets,
  deviceModel,
  encode,
  fromHex,
  fullAccess,
  type KeyPurpose,
  type KeySet,
  type KeyWrap,
  MBusChannel,
  mount,
  onlyReading,
  ProfileGeneric,
  type SecuritySetupPort,
  type ServedClass,
  serveMBusClient,
  serveSecuritySetup,
  serveSecuritySetupV0,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeKeyWrap, nodeRandom } from "@meterkeep/dlms-node";
import type { Purpose } from "../store/records.ts";
import type { TestCertificates } from "./test-certificates.ts";
import { NO_CHILD, type TestChild } from "./test-child.ts";
import { keySetOf, TestSetup } from "./test-setup.ts";

/** Ways in which a meter is not honest. */
export type TestCharacter =
  | "honest"
  | "keeps-all-keys"
  | "keeps-master"
  | "opens-with-both"
  | "answers-to-both"
  | "takes-both-masters"
  | "is-another"
  | "keeps-secrets";

/** What happens to the meter while it serves one APDU. */
export type MeterFault = "none" | "dies-before" | "dies-after" | "dies-half-applied" | "says-nothing";

/** A new meter. */
export interface TestMeterOptions {
  readonly systemTitle: string;
  readonly character?: TestCharacter;
  /** In the order GUEK, GBEK, GAK, KEK; random unless given. */
  readonly keys?: readonly Uint8Array[];
  /** Counters below are refused. */
  readonly lowestCounter?: number;
  /** Whether it has clients with secrets, as meters of IS 15959 have. */
  readonly secrets?: boolean;
  /** Bits of security_policy at first; all that is needed unless given. */
  readonly policy?: number;
  /** Version of its security setup; 1 unless given. */
  readonly setupVersion?: 0 | 1;
  /** The device at M-Bus channel 1, by the key that it was made with. */
  readonly child?: TestChild;
  /** A second security setup (0-0:43.0.1.255) with keys and counters of its own, random unless given, and a client (5) under it. */
  readonly secondSetup?: boolean | readonly Uint8Array[];
  /** Key pairs and certificates: it is of suite 1 then, and has a client that signs (3). */
  readonly certificates?: TestCertificates;
}

const FULL_POLICY = 0x6c;
const CHANNEL_SETTINGS = { portReference: "0.0.24.6.0.255", captureDefinition: [], capturePeriod: 0 };

const PURPOSES: readonly KeyPurpose[] = [
  "globalUnicastEncryptionKey",
  "globalBroadcastEncryptionKey",
  "authenticationKey",
  "keyEncryptionKey",
];

/**
 * A meter for the tests of takeover and sessions: the protocol library's server over keys and counters that faults can
 * strike. It shares no code with custody.
 */
export class TestMeter {
  readonly systemTitle: string;
  readonly character: TestCharacter;
  /** Its first security setup, and the second where it has one. */
  readonly setups: readonly [TestSetup, ...TestSetup[]];
  /** Every key that was ever sent to it, as unwrapped: none may come twice. */
  readonly everSent: string[] = [];
  supply: "connected" | "disconnected" = "connected";
  /** Secrets of the clients "optical" (34) and "setting" (48), as the factory gave them and as they are. */
  readonly factorySecrets: Readonly<Record<string, Uint8Array>>;
  secrets: Readonly<Record<string, Uint8Array>>;
  readonly certificates: TestCertificates | undefined;
  readonly channel: MBusChannel;
  readonly #model: DeviceModel<TestMeter>;
  readonly #setupVersion: 0 | 1;
  /** How far its clock is ahead, and what its event logs have by their logical names: rows of its own time and a code. */
  clock = { nowMilliseconds: () => 0, aheadMilliseconds: 0 };
  logs: Record<string, { readonly at: number; readonly code: number }[]> = {};
  /** What it sends as its challenge: under its present keys, and under the factory's where it answers to both. */
  challenges: { readonly current?: Uint8Array; readonly former?: Uint8Array } = {};
  /** Strikes the next APDU served. */
  fault: MeterFault = "none";
  #halfApplied = false;

  constructor({
    systemTitle: title,
    character = "honest",
    keys,
    lowestCounter = 0,
    secrets,
    policy = FULL_POLICY,
    setupVersion = 1,
    certificates,
    child,
    secondSetup = false,
  }: TestMeterOptions) {
    this.channel = new MBusChannel(child ?? NO_CHILD, CHANNEL_SETTINGS);
    if (child !== undefined) this.channel.install(1);
    this.certificates = certificates;
    this.#model = secondSetup !== false ? TWO_SETUPS : MODELS[secrets === true ? "with" : "without"][setupVersion];
    this.#setupVersion = setupVersion;
    this.factorySecrets = secrets === true ? { optical: random16(), setting: random16() } : {};
    this.secrets = this.factorySecrets;
    this.systemTitle = title;
    this.character = character;
    this.setups = [
      new TestSetup(keys, policy, lowestCounter),
      ...(secondSetup === false
        ? []
        : [new TestSetup(secondSetup === true ? undefined : secondSetup, policy, lowestCounter)]),
    ];
  }

  get factoryKeys(): readonly Uint8Array[] {
    return this.setups[0].factoryKeys;
  }

  /** What is in the meter's memory now, by purpose, in its first security setup. */
  get keys(): readonly Uint8Array[] {
    return this.setups[0].keys;
  }

  set keys(keys: readonly Uint8Array[]) {
    this.setups[0].keys = keys;
  }

  get policyBits(): number {
    return this.setups[0].policyBits;
  }

  get serialNumber(): string {
    return this.character === "is-another" ? "666" : String(Number.parseInt(this.systemTitle.slice(6), 16));
  }

  get logicalDeviceName(): string {
    return `TST${Number.parseInt(this.systemTitle.slice(6), 16)}`;
  }

  /** A line to the meter. `exchange` gives nothing where no answer comes; the line is dead then. */
  connect(clientSap: number, serverSap: number): { exchange(apdu: Uint8Array): Uint8Array | undefined } {
    const current = new CosemServer(
      this.#model,
      this.#device((setup) => setup.current(), this.challenges.current),
    );
    // A set made anew each time looks like changed keys to the server: it then fails after its AARE.
    const former = new CosemServer(
      this.#model,
      this.#device(
        ({ factoryKeys, factorySet }) => (this.character === "answers-to-both" ? keySetOf(factoryKeys) : factorySet),
        this.challenges.former,
      ),
    );
    let server = current;
    let connection: Connection<KeyObject, TestMeter> = current.connect(clientSap, serverSap);
    let dead = false;
    return {
      exchange: (apdu) => {
        const fault = this.fault;
        this.fault = "none";
        if (dead) return undefined;
        dead = fault !== "none";
        if (fault === "dies-before" || fault === "says-nothing") return undefined;
        this.#halfApplied = fault === "dies-half-applied";
        const answer = server.handle(connection, apdu);
        this.#halfApplied = false;
        const both = this.character === "opens-with-both" || this.character === "answers-to-both";
        if (both && connection.standing.kind === "idle" && server === current) {
          server = former;
          connection = former.connect(clientSap, serverSap);
          return server.handle(connection, apdu);
        }
        return dead ? undefined : answer;
      },
    };
  }

  /** A data-notification as the meter sends it unasked. */
  push(protection: "authenticated" | "encrypted", value = 42): Uint8Array {
    return buildPush(
      {
        invokeIdAndPriority: {
          invokeId: 1,
          selfDescriptive: false,
          breakOnError: false,
          confirmed: false,
          highPriority: false,
        },
        dateTime: undefined,
        body: { type: "structure", value: [{ type: "double-long-unsigned", value }] },
      },
      {
        ciphers: nodeCiphers,
        setup: this.#setup(this.setups[0], (setup) => setup.current()),
        authenticated: protection === "authenticated",
        encrypted: true,
      },
    );
  }

  #install(setup: TestSetup, keys: readonly { readonly purpose: KeyPurpose; readonly octets: Uint8Array }[]): boolean {
    for (const { octets } of keys) this.everSent.push(Buffer.from(octets).toString("hex"));
    if (this.character === "keeps-all-keys") return true;
    const applied = this.#halfApplied ? keys.slice(0, 1) : keys;
    for (const { purpose, octets } of applied) {
      const at = PURPOSES.indexOf(purpose);
      if (this.character === "keeps-master" && at === 3) continue;
      setup.keys = setup.keys.with(at, Uint8Array.from(octets));
    }
    return true;
  }

  #setup(setup: TestSetup, keysOf: (setup: TestSetup) => KeySet<KeyObject>): SecuritySetupPort<KeyObject> {
    return {
      suite: this.certificates === undefined ? 0 : 1,
      certificates: this.certificates,
      general: this.certificates?.general,
      get policy() {
        return setup.policy;
      },
      activate: (policy) => setup.activate(policy),
      systemTitle: systemTitle(fromHex(this.systemTitle)),
      keys: { current: () => keysOf(setup), install: (keys) => this.#install(setup, keys) },
      counters: setup.counters,
    };
  }

  #device(keysOf: (setup: TestSetup) => KeySet<KeyObject>, challenge?: Uint8Array): Device<KeyObject, TestMeter> {
    const ports = this.setups.map((setup) => this.#setup(setup, keysOf));
    return {
      state: this,
      ciphers: nodeCiphers,
      keyWrap: this.#keyWrap(),
      importKey: (octets) => createSecretKey(octets),
      random: (octets) => challenge ?? nodeRandom(octets),
      securitySetup: (logicalName) => ports[SETUP_NAMES.indexOf(logicalName)],
      checkPassword: (association, password) => Buffer.from(password).equals(this.secrets[association] ?? NEVER),
      setPassword: () => false,
      hlsMechanism: (association) =>
        association === "signing" ? this.certificates?.mechanism() : aesMechanism(this.secrets[association] ?? NEVER),
    };
  }

  /** The same meter with its next owner, to whom what is on it now is what the factory's was. */
  resold(): TestMeter {
    const [, second] = this.setups;
    const sold = new TestMeter({
      systemTitle: this.systemTitle,
      keys: this.keys,
      lowestCounter: this.lowestCounter,
      secrets: this.secrets["optical"] !== undefined,
      policy: this.policyBits,
      setupVersion: this.#setupVersion,
      ...(second !== undefined && { secondSetup: second.keys }),
      ...(this.certificates !== undefined && { certificates: this.certificates }),
    });
    sold.secrets = this.secrets;
    Object.assign(sold.factorySecrets, this.secrets);
    return sold;
  }

  /** A client's secret, set through its association object. */
  changeSecret(association: string, octets: Uint8Array): void {
    this.everSent.push(Buffer.from(octets).toString("hex"));
    if (this.character === "keeps-secrets") return;
    this.secrets = { ...this.secrets, [association]: Uint8Array.from(octets) };
  }

  #keyWrap(): KeyWrap<KeyObject> {
    if (this.character !== "takes-both-masters") return nodeKeyWrap;
    const factory = createSecretKey(this.factoryKeys[3] as Uint8Array);
    return {
      ...nodeKeyWrap,
      unwrap: (kek, wrapped) => nodeKeyWrap.unwrap(kek, wrapped) ?? nodeKeyWrap.unwrap(factory, wrapped),
    };
  }

  /** Reads and checks what a security officer would: which key is on the meter. */
  holds(purpose: Purpose, octets: Uint8Array): boolean {
    return Buffer.from(this.keys[purpose] as Uint8Array).equals(octets);
  }

  /** What the public client reads. */
  get lowestCounter(): number {
    return this.setups[0].lowestCounter;
  }

  /** Somebody else has used counters up to this one: it takes none below. */
  usedUpTo(counter: number): void {
    this.setups[0].lowestCounter = counter + 1;
  }
}

const NEVER = new Uint8Array(randomBytes(16));

function random16(): Uint8Array {
  return new Uint8Array(randomBytes(16));
}

/** The security setups that a test meter may have, in their order. */
const SETUP_NAMES: readonly string[] = ["0.0.43.0.0.255", "0.0.43.0.1.255"];

const text = (logicalName: string, value: (meter: TestMeter) => string) =>
  mount(
    logicalName,
    DataClass.serve<TestMeter>({
      get: { value: (meter) => ({ type: "octet-string", value: Buffer.from(value(meter), "ascii") }) },
    }),
  );

const CLIENTS = { optical: { clientSap: 34, mechanism: 1 }, setting: { clientSap: 48, mechanism: 2 } } as const;
/** joint-iso-ccitt(2) country(16) country-name(756) identified-organization(5) DLMS-UA(8) mechanism-name(2), without the last arc. */
const MECHANISM_NAME = [0x60, 0x85, 0x74, 0x05, 0x08, 0x02] as const;

/** The association object of a client, as the management client sees it. */
const ofClient = (association: "optical" | "setting") =>
  AssociationLnV1.serve<TestMeter>({
    get: {
      associatedPartnersId: () => ({ clientSap: CLIENTS[association].clientSap, serverSap: 1 }),
      authenticationMechanismName: () => ({
        type: "octet-string",
        value: Uint8Array.of(...MECHANISM_NAME, CLIENTS[association].mechanism),
      }),
    },
    set: { secret: (octets, meter) => meter.changeSecret(association, octets) },
    call: { changeHlsSecret: (octets, meter) => meter.changeSecret(association, octets) },
  });

/** The association object of the client of the second security setup. */
const OF_SECOND = AssociationLnV1.serve<TestMeter>({
  get: {
    associatedPartnersId: () => ({ clientSap: 5, serverSap: 1 }),
    authenticationMechanismName: () => ({ type: "octet-string", value: Uint8Array.of(...MECHANISM_NAME, 5) }),
    securitySetupReference: () => "0.0.43.0.1.255",
  },
});

const counterOf = (setup: number) =>
  mount(
    `0.0.43.1.${setup}.255`,
    DataClass.serve<TestMeter>({
      get: {
        value: ({ setups }) => ({
          type: "double-long-unsigned",
          value: Math.max((setups[setup]?.lowestCounter ?? 0) - 1, 0),
        }),
      },
    }),
  );

const LOGS = ["0.0.99.98.0.255", "0.0.99.98.5.255", "0.0.99.98.9.255"] as const;

const eventLog = (logicalName: string) =>
  mount(
    logicalName,
    ProfileGeneric.serve<TestMeter>({
      get: {
        buffer: ({ logs }) =>
          (logs[logicalName] ?? []).map(({ at, code }) => ({
            type: "structure",
            value: [
              { type: "octet-string", value: encode(dateTimeOctets, dateTimeAt(at)) },
              { type: "long-unsigned", value: code },
            ],
          })),
      },
    }),
  );

const clock = mount(
  "0.0.1.0.0.255",
  Clock.serve<TestMeter>({
    get: {
      time: ({ clock: { nowMilliseconds, aheadMilliseconds } }) => dateTimeAt(nowMilliseconds() + aheadMilliseconds),
    },
  }),
);

const modelWith = (
  setup: ServedClass<TestMeter>,
  hasClients: boolean,
  hasSecondSetup = false,
): DeviceModel<TestMeter> =>
  deviceModel<TestMeter>({
    objects: [
      text("0.0.42.0.0.255", (meter) => meter.logicalDeviceName),
      text("0.0.96.1.0.255", (meter) => meter.serialNumber),
      counterOf(0),
      mount("0.0.43.0.0.255", setup),
      ...(hasSecondSetup ? [counterOf(1), mount("0.0.43.0.1.255", setup), mount("0.0.40.0.5.255", OF_SECOND)] : []),
      clock,
      ...LOGS.map(eventLog),
      mount(
        "0.1.24.1.0.255",
        serveMBusClient<TestMeter>(1, (meter) => meter.channel),
      ),
      ...(hasClients
        ? [mount("0.0.40.0.2.255", ofClient("optical")), mount("0.0.40.0.3.255", ofClient("setting"))]
        : []),
      mount(
        "0.0.96.3.10.255",
        DisconnectControl.serve<TestMeter>({
          get: { outputState: (meter) => meter.supply === "connected" },
          call: {
            remoteDisconnect: (_, meter) => {
              meter.supply = "disconnected";
            },
            remoteReconnect: (_, meter) => {
              meter.supply = "connected";
            },
          },
        }),
      ),
    ],
    associations: [
      {
        name: "public",
        clientSap: 16,
        authentication: { kind: "none" },
        access: onlyReading("0.0.42.0.0.255", "0.0.43.1.0.255", "0.0.43.1.1.255"),
      },
      { name: "optical", clientSap: 34, authentication: { kind: "lls" }, access: onlyReading("0.0.42.0.0.255") },
      {
        name: "setting",
        clientSap: 48,
        authentication: { kind: "hls", mechanism: "high" },
        access: onlyReading("0.0.42.0.0.255"),
      },
      {
        name: "signing",
        clientSap: 3,
        authentication: { kind: "hls", mechanism: "high-ecdsa" },
        securitySetup: "0.0.43.0.0.255",
        access: fullAccess,
      },
      {
        name: "management",
        clientSap: 1,
        authentication: { kind: "gmac" },
        securitySetup: "0.0.43.0.0.255",
        access: fullAccess,
      },
      ...(hasSecondSetup
        ? [
            {
              name: "service",
              clientSap: 5,
              authentication: { kind: "gmac" },
              securitySetup: "0.0.43.0.1.255",
              access: fullAccess,
            } as const,
          ]
        : []),
    ],
  });

const modelsOf = (hasClients: boolean) =>
  ({ 0: modelWith(serveSecuritySetupV0(), hasClients), 1: modelWith(serveSecuritySetup(), hasClients) }) as const;
const MODELS = { with: modelsOf(true), without: modelsOf(false) } as const;
const TWO_SETUPS = modelWith(serveSecuritySetup(), false, true);
