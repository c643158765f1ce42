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
  readonly loadProfile: {
    readonly obis: string;
    readonly periodSeconds: number;
    readonly capacityRows: number;
    /** How a part of it is asked for; entries count from the oldest row. */
    readonly access: "range" | "entry";
    readonly columns: readonly ProfileColumnFacts[];
    /** Meaning of the bits of the status column. */
    readonly statusBits: Readonly<Record<number, string>>;
  };
}

/** What every profile of ours has in common with the others. */
const COMMON = {
  counterObject: "0-0:43.1.0",
  disconnectControl: "0-0:96.3.10",
  clock: { obis: "0-0:1.0.0", corrected: "shift" },
} as const;

const STATUS_BITS = { 3: "summer time", 7: "power came back within the interval" } as const;

const IDIS_P2 = {
  ...COMMON,
  id: "idis-p2",
  name: "IDIS package 2",
  clients: { public: 16, management: 1, reading: 2 },
  maxPduSizeBytes: 1024,
  lists: true,
  securityHeader: "general",
  registers: ["1-0:1.8.0", "1-0:2.8.0", "1-0:1.7.0", "1-0:2.7.0", "1-0:32.7.0"],
  loadProfile: {
    obis: "1-0:99.1.0",
    periodSeconds: 900,
    capacityRows: 5760,
    access: "range",
    columns: ["clock", "status", { obis: "1-0:1.8.0", kind: "register" }, { obis: "1-0:2.8.0", kind: "register" }],
    statusBits: STATUS_BITS,
  },
} as const satisfies MeterProfile;

/** The companion profiles that this head-end reads, by id. */
export const METER_PROFILES = {
  "idis-p2": IDIS_P2,
  "idis-p3": { ...IDIS_P2, id: "idis-p3", name: "IDIS package 3" },
  "dsmr-5": {
    ...COMMON,
    id: "dsmr-5",
    name: "DSMR 5",
    clients: { public: 16, management: 1 },
    maxPduSizeBytes: 640,
    lists: true,
    securityHeader: "service-specific",
    registers: ["1-0:1.8.0", "1-0:2.8.0", "1-0:1.7.0", "1-0:2.7.0", "1-0:32.7.0"],
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
      statusBits: STATUS_BITS,
    },
  },
  is15959: {
    ...COMMON,
    id: "is15959",
    name: "IS 15959",
    clients: { public: 16, management: 1, reading: 32 },
    maxPduSizeBytes: 400,
    lists: false,
    securityHeader: "service-specific",
    registers: ["1-0:1.8.0", "1-0:1.7.0", "1-0:2.7.0"],
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
