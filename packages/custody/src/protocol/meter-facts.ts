import type { CipheringForm } from "@meterkeep/dlms";
import { FIRST_SETUP, SECRET, type SecretPurpose } from "../store/records.ts";

/** What the custodian must know of a companion profile to converse with its meters. */
export interface MeterFacts {
  readonly managementClientSap: number;
  /** The client that may only read, under the management client's security setup: the technicians'. */
  readonly readingClientSap?: number;
  readonly publicClientSap: number;
  readonly serverSap: number;
  /** Of security setups beside the first, by number, the client under each that may change its keys: without one nobody takes it over. */
  readonly furtherClients?: Readonly<Record<number, number>>;
  /** The client that proves itself by signature, of meters that hold certificates. */
  readonly signingClientSap?: number;
  /** How requests are protected. */
  readonly form: CipheringForm;
  /** Whether key_transfer takes several keys at once. */
  readonly arrays: boolean;
  /** Clients that open with a secret of their own. */
  readonly secretClients: readonly SecretClient[];
  /** Logs in which meters write who spoke to them at their local interface; absent where none is known. */
  readonly localLogs?: LocalLogs;
  /** What security_policy is to ask for, in the version of the profile's security setup; `found` where the meter's answer is to tell that. */
  readonly policy: number | "found";
}

/** Event logs (class 7, rows of clock and code) that tell of the local interface, each by its codes. */
export interface LocalLogs {
  /** Where sessions begin and end. */
  readonly sessions: { readonly logicalName: string; readonly started: number; readonly ended: number };
  /** Where attempts stand; not all meters of the profile have it. */
  readonly attempts: { readonly logicalName: string; readonly attempted: number };
  /** Where moves of the clock stand: a row in the old time, then one in the new. */
  readonly clockMoves: { readonly logicalName: string; readonly old: number; readonly moved: number };
}

/** A client that opens with a secret (class 15), and how it is given another. */
export interface SecretClient {
  readonly purpose: SecretPurpose;
  readonly clientSap: number;
  /** Its association object, as the management client sees it. */
  readonly object: string;
  readonly mechanism: "low" | "high" | "high-sha256";
  /** Length of a new secret. */
  readonly octets: number;
  /** Some meters, and the hand-held units before them, take printable characters only. */
  readonly printable: boolean;
}

/** Authenticated and encrypted both ways: as a number of version 0, and as bits of version 1. */
export const FULL_POLICY = { 0: 3, 1: 0x6c } as const;

const COMMON = { managementClientSap: 1, publicClientSap: 16, serverSap: 1 } as const;

const IDIS_LOCAL_LOGS: LocalLogs = {
  sessions: { logicalName: "0.0.99.98.9.255", started: 28, ended: 29 },
  attempts: { logicalName: "0.0.99.98.5.255", attempted: 158 },
  clockMoves: { logicalName: "0.0.99.98.0.255", old: 4, moved: 5 },
};

const IDIS: MeterFacts = {
  ...COMMON,
  localLogs: IDIS_LOCAL_LOGS,
  form: "general-global",
  arrays: true,
  secretClients: [],
  policy: FULL_POLICY[1],
  readingClientSap: 2,
};

/** Companion profiles by the id that shipments use. */
const PROFILES: Readonly<Record<string, MeterFacts>> = {
  "idis-p2": IDIS,
  "idis-p2-service": { ...IDIS, furtherClients: { 1: 5 } },
  "idis-p3": { ...IDIS, signingClientSap: 3 },
  "metcom-mcs301": {
    ...COMMON,
    form: "global",
    arrays: false,
    secretClients: [],
    policy: FULL_POLICY[0],
    readingClientSap: 2,
  },
  "landis-gyr-e350": { ...COMMON, form: "global", arrays: true, secretClients: [], policy: FULL_POLICY[0] },
  "dsmr-5": { ...COMMON, form: "global", arrays: false, secretClients: [], policy: FULL_POLICY[0] },
  is15959: {
    ...COMMON,
    form: "global",
    arrays: true,
    // Meter reader and utility setting, at the optical port.
    secretClients: [
      {
        purpose: SECRET.LLS,
        clientSap: 34,
        object: "0.0.40.0.2.255",
        mechanism: "low",
        octets: 16,
        printable: true,
      },
      {
        purpose: SECRET.HLS,
        clientSap: 48,
        object: "0.0.40.0.3.255",
        mechanism: "high",
        octets: 16,
        printable: false,
      },
    ],
    policy: FULL_POLICY[0],
    readingClientSap: 32,
  },
};

/** Of a profile that is not known the least is assumed: what every meter can do. */
export const LEAST_FACTS: MeterFacts = {
  ...COMMON,
  form: "global",
  arrays: false,
  secretClients: [],
  policy: "found",
};

/** The facts of a profile. */
export function meterFacts(profile: string): MeterFacts {
  return Object.hasOwn(PROFILES, profile) ? (PROFILES[profile] as MeterFacts) : LEAST_FACTS;
}

/** The client that changes keys under a security setup; undefined where none is known. */
export function keyClientOf(
  { managementClientSap, furtherClients }: Pick<MeterFacts, "managementClientSap" | "furtherClients">,
  setup: number,
): number | undefined {
  return setup === FIRST_SETUP ? managementClientSap : furtherClients?.[setup];
}

/** Objects that identify a meter: class, logical name, attribute. */
export const IDENTITY_OBJECTS = {
  logicalDeviceName: { classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 },
  serialNumber: { classId: 1, logicalName: "0.0.96.1.0.255", attributeId: 2 },
} as const;

/** The last counter a security setup has accepted, for the public client. */
export function counterObject(setup: number) {
  return { classId: 1, logicalName: `0.0.43.1.${setup}.255`, attributeId: 2 } as const;
}

/** The logical name of the M-Bus client of a channel (Blue Book, 6.2.22). */
export function mBusClientName(channel: number): string {
  return `0.${channel}.24.1.0.255`;
}

/** The logical name of a security setup. */
export function securitySetupName(setup: number): string {
  return `0.0.43.0.${setup}.255`;
}

/** Profiles whose meters hold certificates and prove themselves by signature. */
export const SIGNING_PROFILES: readonly string[] = Object.entries(PROFILES)
  .filter(([, { signingClientSap }]) => signingClientSap !== undefined)
  .map(([id]) => id);
