import type { EnrolmentCause, KEY_PURPOSES, KeyOrigin, KeyState, RotationCause } from "@meterkeep/api/custodian";

/** A meter in its tenant and cell. */
export interface MeterPlace {
  readonly utility: string;
  readonly island: string;
  /** 16 upper-case hex digits. */
  readonly systemTitle: string;
}

/** A security setup of a meter: counters, windows and takeovers belong to one. */
export interface SetupPlace extends MeterPlace {
  /** The `e` of 0-0:43.0.e.255; of a client's secret the client's service access point, of a child's key its channel. */
  readonly setup: number;
}

/** The standard's key_id. */
export const PURPOSE = { GUEK: 0, GBEK: 1, GAK: 2, KEK: 3 } as const;
export type Purpose = (typeof PURPOSE)[keyof typeof PURPOSE];

type PlaceIn<T extends readonly unknown[]> =
  Extract<keyof T, `${number}`> extends `${infer N extends number}` ? N : never;

/** The number of any purpose, its place in the registry (keys/purposes.ts): those that key_transfer changes come first. */
export type PurposeNumber = PlaceIn<typeof KEY_PURPOSES>;

/** Purposes of the secrets of clients: passwords of low level security, and what other mechanisms compute with. */
export const SECRET = { LLS: 5, HLS: 6 } as const;
export type SecretPurpose = (typeof SECRET)[keyof typeof SECRET];

/** Purposes of the device at an M-Bus channel: the key that it and its meter share, and the one it was made with. */
export const CHILD = { key: 7, default: 11 } as const;

/** A key by purpose and version; the secret of a client by its client as well, the key of a child by its channel. */
export interface KeyName {
  readonly purpose: PurposeNumber;
  readonly version: number;
  /** The client's service access point, or the child's channel; absent for keys of a security setup. */
  readonly client?: number | undefined;
  /** The further security setup that it is a key of; absent for the first. */
  readonly setup?: number | undefined;
}

/** The security setup that sessions speak under: keys are named in it unless something else is said. */
export const FIRST_SETUP = 0;

/** The place of a security setup of a meter. */
export function setupPlace({ utility, island, systemTitle }: MeterPlace, setup = FIRST_SETUP): SetupPlace {
  return { utility, island, systemTitle, setup };
}

/** Whether a key is one of the first security setup: key_transfer changes these purposes, each setup has its own. */
export function isOfFirstSetup({ purpose, setup }: Pick<KeyRecord, "purpose" | "setup">): boolean {
  return purpose <= PURPOSE.KEK && setup === FIRST_SETUP;
}

/** The security setups beside the first that keys or journals are held of, rising: rows of one do not go without the other. */
export function furtherSetups({ keys, takeovers }: SetupsHeld): readonly number[] {
  const held = keys.filter(({ purpose }) => purpose <= PURPOSE.KEK);
  const setups = new Set([...held, ...takeovers].map(({ setup }) => setup));
  return [...setups].filter((setup) => setup !== FIRST_SETUP).sort((one, other) => one - other);
}

/** All security setups that keys or journals are held of, the first among them always. */
export function setupsOf(file: SetupsHeld): readonly number[] {
  return [FIRST_SETUP, ...furtherSetups(file)];
}

/** The name of a key of a security setup, where a change of that setup's keys names it by purpose and version. */
export function inSetup(name: KeyName, setup: number): KeyName {
  return setup === FIRST_SETUP || name.purpose > PURPOSE.KEK ? name : { ...name, setup };
}

/** Whether a stored key is the one of that name. A key of another security setup never is, and no client's name is one of a setup's. */
export function isNamed(key: KeyRecord, { purpose, version, client, setup = FIRST_SETUP }: KeyName): boolean {
  if (key.purpose !== purpose || key.version !== version) return false;
  if (purpose <= PURPOSE.KEK) return client === undefined && key.setup === setup;
  return client === undefined || key.setup === client;
}

/** What tells which security setups of a meter are held. */
interface SetupsHeld {
  readonly keys: readonly Pick<KeyRecord, "purpose" | "setup">[];
  readonly takeovers: readonly Pick<TakeoverRecord, "setup">[];
}

/** How a meter stands to its owner. */
export const METER_STANDINGS = ["in-service", "retired", "transferred", "returned"] as const;
export type MeterStanding = (typeof METER_STANDINGS)[number];

/** What is known about a meter in custody. */
export interface MeterRecord extends MeterPlace {
  /** `shipped` in a signed shipment, or `added` by hand: a real meter whose keys its owner knows. */
  readonly origin: "shipped" | "added";
  readonly logicalDeviceName: string;
  readonly serialNumber: string;
  readonly model: string;
  readonly hardwareRevision: string;
  readonly firmware: string;
  readonly profile: string;
  readonly securitySuite: number;
  readonly manufacturer: { readonly flag: string; readonly name: string };
  /** Who could have held the factory keys. */
  readonly holders: readonly string[];
  readonly shipment: { readonly id: string; readonly line: number } | undefined;
  /** SHA-256 of the trust anchors it was made with, lower-case hex, as its shipment signs; none where that says nothing. */
  readonly anchors?: readonly string[] | undefined;
  /** The highest counter that whoever had it before has used: ours begin above. */
  readonly counterFloor?: number | undefined;
  /** Whether it is ours still; in service unless given. */
  readonly standing?: MeterStanding | undefined;
  readonly createdAt: number;
  /** Binds all of it but the standing, which follows from the ledger; none where somebody took it off. */
  readonly mac?: Uint8Array | undefined;
}

/** A key as stored. */
export interface KeyRecord extends SetupPlace {
  readonly purpose: PurposeNumber;
  readonly version: number;
  readonly state: KeyState;
  readonly origin: KeyOrigin;
  readonly sealed: Uint8Array;
  readonly createdAt: number;
  readonly provenAt: number | undefined;
}

/** The journal of a takeover, a rotation or an enrolment, as stored. */
export interface TakeoverRecord extends SetupPlace {
  /** What it is of: keys unless it says certificates. */
  readonly subject?: "certificates" | undefined;
  /** From 1, counted per setup and subject. */
  readonly takeover: number;
  readonly revision: number;
  /** JSON text. */
  readonly journal: string;
  readonly openedAt: number;
  readonly closedAt: number | undefined;
}

/** A takeover's journal with the MAC that binds it to its place; none where somebody took it off. */
export interface StoredTakeover extends TakeoverRecord {
  readonly mac: Uint8Array | undefined;
}

/** A rotation that somebody or a policy asked for. Its journal, once it has begun, is a takeover record. */
export interface RotationRecord extends SetupPlace {
  /** From 1, counted per setup. */
  readonly rotation: number;
  readonly cause: RotationCause;
  readonly purposes: readonly Purpose[];
  readonly risk: number;
  readonly plannedAt: number;
  readonly plannedBy: string;
  readonly begunAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly outcome: "proven" | "failed" | undefined;
}

/** An enrolment that somebody or the policy asked for. Its journal, once it has begun, is a record of certificates. */
export interface EnrolmentRecord extends MeterPlace {
  /** From 1, counted per meter. */
  readonly enrolment: number;
  readonly cause: EnrolmentCause;
  readonly risk: number;
  readonly plannedAt: number;
  readonly plannedBy: string;
  readonly begunAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly outcome: "enrolled" | "freed" | "failed" | undefined;
  /** When the first of its certificates ends; undefined where none does. */
  readonly expiresAt: number | undefined;
}

/** What the ledger says of the last journal that was written for a setup and subject. */
export interface TakeoverMark {
  readonly setup: number;
  readonly subject?: "certificates" | undefined;
  readonly takeover: number;
  readonly revision: number;
  /** Hex. */
  readonly mac: string;
}

/** The next counter that was never reserved under a version of the unicast key. */
export interface CounterRecord extends SetupPlace {
  readonly keyVersion: number;
  readonly next: number;
}

/** The same with its MAC. */
export interface StoredCounter extends CounterRecord {
  readonly mac: Uint8Array | undefined;
}

/** What the ledger says of the last block that was reserved in a setup. */
export interface CounterMark {
  readonly setup: number;
  readonly keyVersion: number;
  readonly next: number;
  /** Hex. */
  readonly mac: string;
}

/** The send counters of a security setup: what is stored, and what the ledger says of it. */
export interface CounterLine {
  readonly counters: readonly StoredCounter[];
  readonly mark: CounterMark | undefined;
  /** Sequence of the entry that the mark is in. */
  readonly markedAt: number | undefined;
  /** The same where somebody has changed it since. */
  readonly altered?: readonly number[];
}

/** The counters of a meter that were accepted under one version of the unicast key. */
export interface WindowRecord extends SetupPlace {
  readonly keyVersion: number;
  readonly highest: number;
  /** 128 octets: bit n, counted from the least significant of octet 0, is counter `highest - n`. */
  readonly seen: Uint8Array;
  /** Binds it to its place; none where somebody took it off. */
  readonly mac?: Uint8Array | undefined;
}

/** What the ledger says of how far a window of accepted counters had gone. */
export interface AcceptedMark extends Pick<WindowRecord, "setup" | "keyVersion" | "highest"> {
  /** Hex. */
  readonly mac: string;
  /** When it was written. */
  readonly at: number;
}

/** An entry of the ledger from which the states of a meter's keys, or its standing, follow. */
export interface StateEntry {
  readonly kind: "key-states-changed" | "meter-departed" | "meter-readmitted";
  /** As the entry has it. */
  readonly body: unknown;
}

/** A shipment that was imported. */
export interface ShipmentRecord {
  readonly utility: string;
  readonly island: string;
  readonly manufacturerKey: string;
  readonly shipment: string;
  readonly manufacturer: string;
  readonly customer: string;
  readonly created: string;
  readonly meters: number;
  readonly root: string;
  readonly importedAt: number;
}

/** Everything about one meter, read at once. */
export interface MeterFile {
  readonly meter: MeterRecord;
  /** In the order of setup, purpose, version. */
  readonly keys: readonly KeyRecord[];
  /** The newest rotation of each setup. */
  readonly rotations: readonly RotationRecord[];
  /** The newest takeover of each setup. */
  readonly takeovers: readonly StoredTakeover[];
  /** The newest journal of certificates of each setup, and the newest plan of one. */
  readonly enrolments: readonly StoredTakeover[];
  readonly enrolment: EnrolmentRecord | undefined;
  /** The ledger's newest mark of each setup and subject. */
  readonly marks: readonly TakeoverMark[];
  readonly windows: readonly WindowRecord[];
  /** The ledger's newest mark of each window, of those that were used last. */
  readonly accepted: readonly AcceptedMark[];
  /** What the ledger says of its keys' states and its standing, in its order. */
  readonly history: readonly StateEntry[];
  /** Sequences of those entries of the ledger, of all that it says of the meter, that somebody has changed since. */
  readonly altered?: readonly number[];
}
