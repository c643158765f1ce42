import { type TimeZone, timeZone } from "../time/time-zone.ts";
import { EVENT_CODES, type EventCodes } from "./event-codes.ts";

/** What a column of a load profile holds. */
export type ProfileColumnFacts =
  /** When the interval ended. */
  | "clock"
  /** Bits that qualify the row. */
  | "status"
  | {
      /** Logical name of the object that is captured. */
      readonly obis: string;
      /** `register`: a count that goes on; `interval`: the energy of the interval; `mean`: an average over it. */
      readonly kind: "register" | "interval" | "mean";
    };

/** A push setup: what it is for, and how it sends. */
export interface PushSetupFacts {
  readonly name: string;
  readonly obis: string;
  readonly transport: "tcp" | "udp";
}

/** An event log: rows of clock and code. */
export interface EventLogFacts {
  readonly name: string;
  readonly obis: string;
  /** What its codes mean. */
  readonly codes: EventCodes;
}

/** How to read one kind of meter. Facts only: nothing here is decided. OBIS codes are as people write them. */
export interface MeterProfile {
  readonly id: string;
  readonly name: string;
  /** Service access points. */
  readonly clients: { readonly public: number; readonly management: number; readonly reading?: number };
  /** The last counter that the meter accepted, readable by the public client. */
  readonly counterObject: string;
  /** Longest APDU it takes, octets. */
  readonly maxPduSizeBytes: number;
  /** GET, SET and ACTION take lists. */
  readonly lists: boolean;
  readonly securityHeader: "service-specific" | "general";
  /** Registers of every reading, attribute 2 of class 3. */
  readonly registers: readonly string[];
  /** Disconnect control; transformer meters have none. */
  readonly disconnectControl: string;
  readonly clock: {
    readonly obis: string;
    /** How it is corrected: moved by so many seconds, or told the time. */
    readonly corrected: "shift" | "set";
  };
  /** Where the clocks of such meters are kept, for those that do not say how far they are from UTC; absent where all do. */
  readonly timeZone?: TimeZone;
  /** The association object of the client, whose list says what there is. */
  readonly association: { readonly obis: string; readonly version: 0 | 1 | 2 | 3 };
  /** Identifier and signature of the firmware that runs. */
  readonly firmware: { readonly identifier: string; readonly signature: string };
  readonly imageTransfer?: string;
  /** The single action schedule that activates an image (0-0:15.0.2). */
  readonly imageSchedule?: string;
  readonly activityCalendar?: string;
  readonly specialDays?: string;
  /** The limiter, and the type of what it watches. */
  readonly limiter?: {
    readonly obis: string;
    readonly type: "unsigned" | "long-unsigned" | "double-long-unsigned" | "double-long";
    /** The emergency profile whose group all these meters belong to, where they have one. */
    readonly emergencyProfile?: number;
  };
  readonly pushSetups: readonly PushSetupFacts[];
  /** M-Bus clients by channel, from 1. */
  readonly mBus: {
    readonly version: 0 | 1;
    readonly channels: readonly string[];
    /** Extended registers with what the device on each channel has counted. */
    readonly values: readonly string[];
  };
  /** Relays of loads, from 1; the supply does not pass through them. */
  readonly loadRelays: readonly string[];
  /** The relay through which a home feeds in. */
  readonly injectionRelay?: string;
  readonly eventLogs: readonly EventLogFacts[];
  /** Registers as they stood at the end of a day. */
  readonly daily: { readonly obis: string; readonly columns: readonly ProfileColumnFacts[] };
  /** The profile of power quality: rows of clock and registers, whose columns the meter tells itself. */
  readonly powerQuality?: { readonly obis: string; readonly periodSeconds: number };
  readonly loadProfile: {
    readonly obis: string;
    readonly periodSeconds: number;
    readonly capacityRows: number;
    /** How a part of it is asked for; entries count from the oldest row. */
    readonly access: "range" | "entry";
    readonly columns: readonly ProfileColumnFacts[];
    /** The bit of the status column by which a row says that power came back within its interval. */
    readonly powerBackBit: number;
    /** Meaning of the bits of the status column. */
    readonly statusBits: Readonly<Record<number, string>>;
  };
}

/** What every profile of ours has in common with the others. */
const COMMON = {
  counterObject: "0-0:43.1.0",
  disconnectControl: "0-0:96.3.10",
  clock: { obis: "0-0:1.0.0", corrected: "shift" },
  firmware: { identifier: "1-0:0.2.0", signature: "1-0:0.2.8" },
  imageTransfer: "0-0:44.0.0",
  imageSchedule: "0-0:15.0.2",
  activityCalendar: "0-0:13.0.0",
  specialDays: "0-0:11.0.0",
  limiter: { obis: "0-0:17.0.0", type: "double-long-unsigned", emergencyProfile: 1 },
  loadRelays: ["0-1:96.3.10"],
  injectionRelay: "0-2:96.3.10",
} as const;

/** Columns of clock, perhaps status, and registers. */
const registerColumns = (status: "status" | undefined, ...codes: readonly string[]): readonly ProfileColumnFacts[] => [
  "clock",
  ...(status === undefined ? [] : [status]),
  ...codes.map((obis) => ({ obis, kind: "register" }) as const),
];

const pushSetups = (transport: PushSetupFacts["transport"]): readonly PushSetupFacts[] => [
  { name: "report", obis: "0-0:25.9.0", transport },
  { name: "alarm", obis: "0-4:25.9.0", transport },
];

const POWER_BACK = 7;
const STATUS_BITS = { 3: "summer time", [POWER_BACK]: "power came back within the interval" } as const;

const IDIS_P2 = {
  ...COMMON,
  association: { obis: "0-0:40.0.0", version: 2 },
  pushSetups: pushSetups("tcp"),
  powerQuality: { obis: "1-0:99.14.0", periodSeconds: 600 },
  mBus: { version: 1, channels: ["0-1:24.1.0"], values: ["0-1:24.2.1"] },
  eventLogs: [
    { name: "standard", obis: "0-0:99.98.0", codes: EVENT_CODES.idis },
    { name: "fraud", obis: "0-0:99.98.1", codes: EVENT_CODES.idis },
    { name: "disconnector", obis: "0-0:99.98.2", codes: EVENT_CODES.idis },
    { name: "security", obis: "0-0:99.98.9", codes: EVENT_CODES.idis },
  ],
  id: "idis-p2",
  name: "IDIS package 2",
  clients: { public: 16, management: 1, reading: 2 },
  maxPduSizeBytes: 1024,
  lists: true,
  securityHeader: "general",
  registers: ["1-0:1.8.0", "1-0:2.8.0", "1-0:1.7.0", "1-0:2.7.0", "1-0:32.7.0"],
  daily: {
    obis: "1-0:99.2.0",
    columns: registerColumns("status", "1-0:1.8.0", "1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.0"),
  },
  loadProfile: {
    obis: "1-0:99.1.0",
    periodSeconds: 900,
    capacityRows: 5760,
    access: "range",
    columns: ["clock", "status", { obis: "1-0:1.8.0", kind: "register" }, { obis: "1-0:2.8.0", kind: "register" }],
    powerBackBit: POWER_BACK,
    statusBits: STATUS_BITS,
  },
} as const satisfies MeterProfile;

/** What IDIS meters have but for power quality. */
const { powerQuality: _, ...IDIS_WITHOUT_QUALITY } = IDIS_P2;

/** The companion profiles that this head-end reads, by id. */
export const METER_PROFILES = {
  "idis-p2": IDIS_P2,
  "idis-p2-service": { ...IDIS_P2, id: "idis-p2-service", name: "IDIS package 2 with a service setup" },
  "idis-p3": { ...IDIS_P2, id: "idis-p3", name: "IDIS package 3", association: { obis: "0-0:40.0.0", version: 3 } },
  "dsmr-5": {
    ...COMMON,
    association: { obis: "0-0:40.0.0", version: 1 },
    pushSetups: pushSetups("udp"),
    powerQuality: { obis: "1-0:99.1.1", periodSeconds: 600 },
    mBus: { version: 0, channels: ["0-1:24.1.0"], values: ["0-1:24.2.1"] },
    eventLogs: [
      { name: "standard", obis: "0-0:99.98.0", codes: EVENT_CODES.dsmr },
      { name: "fraud", obis: "0-0:99.98.1", codes: EVENT_CODES.dsmr },
    ],
    id: "dsmr-5",
    name: "DSMR 5",
    clients: { public: 16, management: 1 },
    maxPduSizeBytes: 640,
    lists: true,
    securityHeader: "service-specific",
    registers: ["1-0:1.8.0", "1-0:2.8.0", "1-0:1.7.0", "1-0:2.7.0", "1-0:32.7.0"],
    daily: { obis: "1-0:99.2.0", columns: registerColumns("status", "1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.0") },
    loadProfile: {
      obis: "1-0:99.1.0",
      periodSeconds: 900,
      capacityRows: 960,
      access: "range",
      columns: [
        "clock",
        "status",
        { obis: "1-0:1.8.0", kind: "register" },
        { obis: "1-0:2.8.0", kind: "register" },
        { obis: "1-0:3.8.0", kind: "register" },
        { obis: "1-0:4.8.0", kind: "register" },
      ],
      powerBackBit: POWER_BACK,
      statusBits: STATUS_BITS,
    },
  },
  "metcom-mcs301": {
    ...IDIS_P2,
    id: "metcom-mcs301",
    name: "MetCom MCS301",
    powerQuality: { obis: "1-0:99.133.0", periodSeconds: 600 },
    association: { obis: "0-0:40.0.0", version: 1 },
    mBus: { version: 0, channels: ["0-1:24.1.0"], values: ["0-1:24.2.1"] },
    securityHeader: "service-specific",
    eventLogs: IDIS_P2.eventLogs.filter(({ name }) => name !== "security"),
    daily: {
      obis: "0-0:98.1.0",
      columns: registerColumns(undefined, "1-0:1.8.0", "1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.0"),
    },
    registers: ["1-0:1.8.0", "1-0:2.8.0", "1-0:3.8.0", "1-0:4.8.0", "1-0:1.7.0", "1-0:2.7.0", "1-0:32.7.0"],
    loadProfile: {
      ...IDIS_P2.loadProfile,
      capacityRows: 18_240,
      columns: [
        "clock",
        "status",
        { obis: "1-0:1.8.0", kind: "register" },
        { obis: "1-0:2.8.0", kind: "register" },
        { obis: "1-0:3.8.0", kind: "register" },
        { obis: "1-0:4.8.0", kind: "register" },
      ],
    },
  },
  "landis-gyr-e350": {
    ...IDIS_WITHOUT_QUALITY,
    id: "landis-gyr-e350",
    name: "Landis+Gyr E350",
    clients: { public: 16, management: 1 },
    maxPduSizeBytes: 512,
    securityHeader: "service-specific",
    eventLogs: IDIS_P2.eventLogs.filter(({ name }) => name === "standard" || name === "fraud"),
    daily: { obis: "0-0:98.1.0", columns: registerColumns("status", "1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.0") },
    loadProfile: { ...IDIS_P2.loadProfile, capacityRows: 2880 },
  },
  is15959: {
    ...COMMON,
    association: { obis: "0-0:40.0.0", version: 1 },
    pushSetups: pushSetups("tcp"),
    mBus: { version: 0, channels: ["0-1:24.1.0"], values: ["0-1:24.2.1"] },
    eventLogs: [
      { name: "transaction", obis: "0-0:99.98.3", codes: EVENT_CODES.india },
      { name: "other", obis: "0-0:99.98.4", codes: EVENT_CODES.india },
      { name: "control", obis: "0-0:99.98.6", codes: EVENT_CODES.india },
    ],
    id: "is15959",
    timeZone: timeZone("Asia/Kolkata"),
    name: "IS 15959",
    clients: { public: 16, management: 1, reading: 32 },
    maxPduSizeBytes: 400,
    lists: false,
    securityHeader: "service-specific",
    registers: ["1-0:1.8.0", "1-0:1.7.0", "1-0:2.7.0"],
    daily: { obis: "1-0:99.2.0", columns: registerColumns(undefined, "1-0:1.8.0", "1-0:2.8.0", "1-0:9.8.0") },
    loadProfile: {
      obis: "1-0:99.1.0",
      periodSeconds: 900,
      capacityRows: 3360,
      access: "entry",
      columns: [
        "clock",
        { obis: "1-0:32.27.0", kind: "mean" },
        { obis: "1-0:31.27.0", kind: "mean" },
        { obis: "1-0:1.29.0", kind: "interval" },
        { obis: "1-0:2.29.0", kind: "interval" },
        "status",
      ],
      powerBackBit: POWER_BACK,
      statusBits: STATUS_BITS,
    },
  },
} as const satisfies Record<string, MeterProfile>;

/** The profile of that id, or undefined where this head-end has none: such a meter is known and not read. */
export function findMeterProfile(id: string): MeterProfile | undefined {
  return Object.hasOwn(METER_PROFILES, id) ? METER_PROFILES[id as keyof typeof METER_PROFILES] : undefined;
}

/** The words of a row's status. */
export function statusWords(profile: MeterProfile, status: number | undefined): readonly string[] {
  if (status === undefined) return [];
  return Object.entries(profile.loadProfile.statusBits)
    .filter(([bit]) => (status & (1 << Number(bit))) !== 0)
    .map(([, word]) => word);
}
