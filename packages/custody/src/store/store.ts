import type { EnrolmentCause, KeyState, ROTATION_FILTERS, RotationCause } from "@meterkeep/api/custodian";
import type { WrappedSecret } from "@meterkeep/hsm";
import type { CheckpointStore, Growth, LedgerEntry, LedgerStore } from "@meterkeep/ledger";
import type { PkiStore } from "@meterkeep/pki";
import type { AuthorityRecords, AuthorityWrite } from "../authority/store/records.ts";
import type { EnrolmentPolicy } from "../enrolment/policy.ts";
import type { KeyPolicy } from "../keys/key-policy.ts";
import type { PkiLedger } from "../pki/pki-ledger.ts";
import type {
  CounterLine,
  EnrolmentRecord,
  KeyRecord,
  MeterFile,
  MeterPlace,
  MeterRecord,
  MeterStanding,
  Purpose,
  PurposeNumber,
  SetupPlace,
  ShipmentRecord,
  StoredCounter,
  StoredTakeover,
  WindowRecord,
} from "./records.ts";

/** Keeps counters apart from what was used: those from `from` up to the new row's `next`, which is not among them. */
export interface ReserveCounters {
  readonly kind: "reserve-counters";
  /** No counter of the setup, whatever the version of the key, may have been reserved from here on. */
  readonly from: number;
  readonly counter: StoredCounter;
}

/** One durable change. */
export type Write =
  | AuthorityWrite
  | ReserveCounters
  | { readonly kind: "put-windows"; readonly windows: readonly WindowRecord[] }
  | {
      readonly kind: "add-keys";
      readonly keys: readonly KeyRecord[];
      /** Of the unicast, authentication and master keys among them. */
      readonly checkValues: readonly Uint8Array[];
    }
  /** No key comes back from `compromised` or from what is destroyed: such a write is a conflict. */
  | {
      readonly kind: "set-key-state";
      readonly place: SetupPlace;
      readonly purpose: PurposeNumber;
      readonly version: number;
      readonly state: KeyState;
      readonly at: number;
      readonly provenAt?: number | undefined;
    }
  /** A meter leaves: it does not come back by another such write. */
  | {
      readonly kind: "set-standing";
      readonly meter: MeterPlace;
      readonly standing: Exclude<MeterStanding, "in-service">;
      readonly at: number;
    }
  /** A meter that was given away, or sent back, is ours again, as its shipment has it. */
  | { readonly kind: "readmit-meter"; readonly meter: MeterRecord; readonly at: number }
  /** A shipment whose meters are written in the same commit. */
  | { readonly kind: "add-shipment"; readonly shipment: ShipmentRecord }
  /** Overwrites the octets of a key that has gone and has an active successor. */
  | {
      readonly kind: "destroy-key";
      readonly place: SetupPlace;
      readonly purpose: PurposeNumber;
      readonly version: number;
      readonly at: number;
    }
  /**
   * A rotation has its journal from now on, or is over. With the end of one, or of a takeover, a successor is planned for
   * what became compromised meanwhile and nothing active follows.
   */
  | {
      readonly kind: "mark-rotation";
      readonly place: SetupPlace;
      readonly rotation: number;
      readonly begunAt: number;
      readonly endedAt: number | undefined;
      readonly outcome: "proven" | "failed" | undefined;
    }
  /** An enrolment that belongs to another change: of a meter that came back. */
  | { readonly kind: "plan-enrolment"; readonly enrolment: EnrolmentRecord }
  /** An enrolment has its journal from now on, or is over. */
  | {
      readonly kind: "mark-enrolment";
      readonly place: MeterPlace;
      readonly enrolment: number;
      readonly begunAt: number;
      readonly endedAt: number | undefined;
      readonly outcome: "enrolled" | "freed" | "failed" | undefined;
      readonly expiresAt: number | undefined;
    }
  /**
   * Another root key has the vault from now on: its record takes the place of the one with `formerProof`, and so does all that
   * was sealed under it. A conflict where anything would be left behind.
   */
  | {
      readonly kind: "rewrap-vault";
      readonly formerProof: Uint8Array;
      readonly root: RootRecord;
      readonly vaultKeys: readonly VaultKeyRecord[];
      readonly newVaultKeys: readonly VaultKeyRecord[];
      readonly secrets: readonly NamedSecret[];
    }
  /** Keys sealed anew, each where its octets are still those that were read. */
  | { readonly kind: "reseal-keys"; readonly keys: readonly ResealedKey[] }
  /** Revision 1 opens a takeover; another one replaces the revision before it. */
  | { readonly kind: "put-takeover"; readonly takeover: StoredTakeover }
  | {
      readonly kind: "add-meter";
      readonly meter: MeterRecord;
      readonly keys: readonly KeyRecord[];
      readonly checkValues: readonly Uint8Array[];
    };

/** A key that is sealed under another vault key than before. */
export interface ResealedKey extends SetupPlace, Pick<KeyRecord, "purpose" | "version" | "sealed"> {
  readonly former: Uint8Array;
}

/** A secret of the installation as it lies in the store. */
export interface NamedSecret {
  readonly name: string;
  readonly sealed: Uint8Array;
}

/** Rotations to be planned, for every meter that they fit and that has none open. */
export interface RotationPlan {
  /** Empty: all. */
  readonly meters: readonly string[];
  /** Which security setup's keys, or those of each whose takeover is over; the first's unless given. */
  readonly setups?: number | "each";
  /** Only those with an active key made before this. */
  readonly madeBefore: number | undefined;
  /** Only those that have used up so many counters. */
  readonly countAbove: number | undefined;
  readonly purposes: readonly Purpose[];
  readonly cause: RotationCause;
  /** What the cause adds to the risk of each meter. */
  readonly risk: number;
  /** The age of a meter's keys adds nothing to its risk. */
  readonly isAgeless?: boolean;
  readonly plannedBy: string;
  readonly at: number;
  /** At most so many rotations of first setups, and so many of others. */
  readonly limit: number;
}

/** A rotation whose meter wants a contact. */
export interface DueRotation {
  readonly systemTitle: string;
  readonly begun: boolean;
  /** When the newest was planned of what waits at the meter, where anything does. */
  readonly plannedAt?: number;
  /** It is planned although nothing else is begun: strangers may have what the meter has. */
  readonly isUrgent?: boolean;
}

/** Numbers of a whole installation. */
export interface KeyLifeCounts {
  readonly planned: number;
  readonly underWay: number;
  readonly proven: number;
  readonly failed: number;
  readonly overdue: number;
  readonly unproven: number;
  readonly compromised: number;
}

/** A key that has gone, and when. */
export interface GoneKey extends SetupPlace {
  readonly purpose: PurposeNumber;
  readonly version: number;
  readonly goneAt: number;
}

/** Rotations and the policy behind them. */
export interface RotationRecords {
  /**
   * Plans rotations, those at the greatest risk first where there are more than the limit. For a compromise plans that
   * wait are raised to its risk and given its purposes. @returns for how many meters that was.
   */
  plan(plan: RotationPlan): Promise<number>;
  /**
   * Meters with open rotations, and with takeovers of security setups beside the first that have begun, where that one's is over:
   * those begun first, then by risk; at most so many of each. What has begun at one of `resting` is left out.
   */
  due(begun: number, waiting: number, resting: readonly string[]): Promise<readonly DueRotation[]>;
  /**
   * Of the next so many meters in service behind a title those with keys of a security setup beside the first of which no takeover has
   * begun; and the last one that was looked at, undefined where there are no more.
   */
  unbegun(
    after: string | undefined,
    limit: number,
  ): Promise<{ readonly titles: readonly string[]; readonly last: string | undefined }>;
  /** System titles of meters with a rotation, in their order. */
  titles(
    filter: Exclude<(typeof ROTATION_FILTERS)[number], "unknown">,
    after: string | undefined,
    limit: number,
  ): Promise<readonly string[]>;
  /** Rotations for a cause that somebody planned after a time, in the order of their planning. */
  plannedSince(
    plannedBy: string,
    cause: RotationCause,
    at: number,
  ): Promise<readonly { readonly systemTitle: string; readonly at: number }[]>;
  counts(madeBefore: number): Promise<KeyLifeCounts>;
  /** Keys that went before a time and are not destroyed, in the order in which they went; those behind one of them where it is given. */
  gone(before: number, limit: number, after?: GoneKey): Promise<readonly GoneKey[]>;
  /** Keys that became compromised after a moment, or in it at meters after a title; in that order. */
  compromised(
    at: number,
    after: string,
    limit: number,
  ): Promise<readonly { readonly systemTitle: string; readonly at: number }[]>;
  policy(): Promise<KeyPolicy | undefined>;
  setPolicy(policy: KeyPolicy): Promise<void>;
}

/** Enrolments to be planned, for every meter that they fit and that has none open. */
export interface EnrolmentPlanning {
  /** Empty: all. */
  readonly meters: readonly string[];
  readonly cause: EnrolmentCause;
  /** Profiles whose meters can be enrolled. */
  readonly profiles: readonly string[];
  /** Of a renewal: meters enrolled before this, or with a certificate that ends before that. */
  readonly enrolledBefore: number | undefined;
  readonly endingBefore: number | undefined;
  /** What the cause adds to the risk of each meter. */
  readonly risk: number;
  readonly plannedBy: string;
  readonly at: number;
  readonly limit: number;
}

/** Numbers of a whole installation. */
export interface EnrolmentCounts {
  readonly capable: number;
  readonly planned: number;
  readonly underWay: number;
  readonly enrolled: number;
  readonly failed: number;
}

/** Enrolments and the policy behind them. */
export interface EnrolmentRecords {
  /**
   * Plans enrolments of meters whose takeover is proven, those at the greatest risk first where there are more than the
   * limit. The cause `first` is for meters that were never planned for. @returns how many.
   */
  plan(plan: EnrolmentPlanning): Promise<number>;
  /** Open enrolments: those begun first, of meters that are not `resting`, then by risk; at most so many of each. */
  due(begun: number, waiting: number, resting: readonly string[]): Promise<readonly DueRotation[]>;
  /** Meters that can be enrolled, in the order of their system titles. */
  titles(profiles: readonly string[], after: string | undefined, limit: number): Promise<readonly string[]>;
  counts(profiles: readonly string[]): Promise<EnrolmentCounts>;
  /** How many enrolments came to their end since, freed meters included, and in how many spans of time any did. */
  pace(since: number, spanMilliseconds: number): Promise<{ readonly enrolled: number; readonly spans: number }>;
  policy(): Promise<EnrolmentPolicy | undefined>;
  setPolicy(policy: EnrolmentPolicy): Promise<void>;
}

/** A meter to be imported. */
export interface StagedMeter {
  readonly meter: MeterRecord;
  readonly keys: readonly KeyRecord[];
  readonly checkValues: readonly Uint8Array[];
}

/** What stands in the way of a staged meter. */
export interface StageConflict {
  readonly systemTitle: string;
  readonly problem: "in-custody" | "in-file" | "key-shared";
}

/** What came of staging meters. */
export interface Staged {
  readonly conflict: StageConflict | undefined;
  /** Titles of meters that were added by hand and stand aside for signed ones. */
  readonly setAside: readonly string[];
}

/** An import under way: nothing of it is seen by others until `commit`. */
export interface ShipmentStage {
  /** Whether a shipment has been imported before. */
  knows(manufacturerKey: string, shipment: string): Promise<boolean>;
  /**
   * Adds meters, or says about the first one that cannot be; the stage must be dropped then. A meter that was added by
   * hand stands aside for a shipped one of its title, or with one of its keys.
   */
  add(meters: readonly StagedMeter[]): Promise<Staged>;
  /** Those of these titles that were given away, or sent back, and are not ours now. */
  left(titles: readonly string[]): Promise<readonly string[]>;
  /** Makes all of it durable. @throws CustodyError `custody-write-conflict` when the shipment has been imported. */
  commit(shipment: ShipmentRecord): Promise<void>;
  /** Drops all of it; safe to call after `commit`. */
  drop(): Promise<void>;
}

/**
 * Where custody is kept. Every adapter passes `custodyStoreContract`.
 *
 * `commit` is the one way in for everything that must be durable before octets leave: all of its writes and what the
 * ledger grows by, or none.
 */
export interface CustodyStore {
  /**
   * Writes all or nothing, in order, durably.
   *
   * @throws CustodyError `custody-write-conflict` where a unique place is taken or a revision is not the next one;
   * LedgerError `ledger-forked`. Anything else may have been written or not.
   */
  commit(writes: readonly Write[], growth?: Growth): Promise<void>;
  /** Everything about a meter, or undefined. */
  load(systemTitle: string): Promise<MeterFile | undefined>;
  /** In the order of system titles: those asked for, or all after `after`. */
  loadPage(titles: readonly string[], after: string | undefined, limit: number): Promise<MeterFile[]>;
  /** The send counters of a setup, and what the ledger says of them. */
  counterLine(place: SetupPlace): Promise<CounterLine>;
  /** The entries of the ledger that meters are judged by when they are loaded, by title; those that are not there are left out. */
  entriesBehind(titles: readonly string[]): Promise<ReadonlyMap<string, readonly LedgerEntry[]>>;
  /** Meters in service, of all utilities or of one. */
  meterCount(utility?: string): Promise<number>;
  /** Those of them that came with their master, and whose takeover by ours is proven. */
  provenMeterCount(utility?: string): Promise<number>;
  /** Titles of about so many of those, drawn at random. */
  provenMeterSample(meters: number): Promise<string[]>;
  /** Meters of a shipment from line `from` + 1 on. */
  shipmentMeters(
    place: { readonly utility: string; readonly island: string; readonly shipment: string },
    from: number,
    limit: number,
  ): Promise<MeterRecord[]>;
  stageShipment(): Promise<ShipmentStage>;
  /** The ledger, which grows by `commit` only. */
  readonly ledger: Omit<LedgerStore, "append">;
  readonly rotations: RotationRecords;
  readonly enrolments: EnrolmentRecords;
  readonly authority: AuthorityRecords;
  readonly checkpoints: CheckpointStore;
  readonly vaultKeys: VaultKeys;
  readonly vaultSecrets: VaultSecretRecords;
  readonly installation: InstallationRecords;
  /** What the authorities of the PKI remember. */
  readonly pki: PkiStore;
  /** What the PKI asks of the ledger. */
  readonly pkiLedger: PkiLedger;
  readonly restorations: Restorations;
}

/** A backup that this store came from. */
export interface Restoration {
  readonly backup: string;
  readonly restoredAt: number;
  /** When the last change was made that is in the store, milliseconds since 1970 UTC. */
  readonly knownUntil: number;
}

/** What was restored into this store; written by who restores, who owns its schema. */
export interface Restorations {
  list(): Promise<readonly Restoration[]>;
}

/** What the installation as a whole remembers. */
export interface InstallationRecords {
  /** Whether anything was ever written: a vault must not be founded over it. */
  inUse(): Promise<boolean>;
  root(): Promise<RootRecord | undefined>;
  /** Stores it unless there is one: returns what is stored then. */
  insertRoot(root: RootRecord): Promise<RootRecord>;
  namedSecret(name: string): Promise<Uint8Array | undefined>;
  /** All of them, by name. */
  namedSecrets(): Promise<readonly NamedSecret[]>;
  insertNamedSecret(name: string, sealed: Uint8Array): Promise<Uint8Array>;
}

/** How the root key is known again. */
export interface RootRecord {
  readonly kind: "file" | "passphrase" | "tokens";
  /** JSON text: scrypt's parameters for a passphrase. */
  readonly parameters: string;
  readonly proof: Uint8Array;
  readonly createdAt: number;
}

/** A vault key: sealed under the root key, it seals the meter keys of one utility and island. */
export interface VaultKeyRecord {
  readonly utility: string;
  readonly island: string;
  readonly version: number;
  readonly sealed: Uint8Array;
}

/** Where the software vault keeps its vault keys. */
export interface VaultKeys {
  /** Every one that was not destroyed, by utility, island and version. */
  all(): Promise<readonly VaultKeyRecord[]>;
  /** All versions for an utility and island. */
  find(utility: string, island: string): Promise<readonly VaultKeyRecord[]>;
  /** Stores a version durably unless there is one already: returns what is stored then. */
  insert(record: VaultKeyRecord): Promise<VaultKeyRecord>;
  /** Overwrites a version with nothing, for good: it is found no more, and none is stored in its place. */
  destroy(record: Pick<VaultKeyRecord, "utility" | "island" | "version">): Promise<void>;
}

/** A vault secret that only tokens open: the same secret, wrapped for each token that has it. */
export interface VaultSecret {
  readonly utility: string;
  readonly island: string;
  readonly version: number;
  /** Tells a wrong secret from the right one; the same for every copy. */
  readonly checkValue: Uint8Array;
  /** By the label of the token. */
  readonly copies: ReadonlyMap<string, WrappedSecret>;
}

/** Where the vault of tokens keeps its secrets. */
export interface VaultSecretRecords {
  /** All versions for a utility and island, oldest first. */
  find(utility: string, island: string): Promise<readonly VaultSecret[]>;
  all(): Promise<readonly VaultSecret[]>;
  /** Stores a secret with its copies durably unless there is one of that version: gives what is stored then. */
  insert(secret: VaultSecret): Promise<VaultSecret>;
  /** Adds copies to a stored secret; those that are there stay. */
  addCopies(secret: VaultSecret): Promise<void>;
  /** Puts copies in the place of those that were found dead; what was destroyed stays so. */
  replaceCopies(secret: VaultSecret): Promise<void>;
  /** Overwrites every copy of a version with nothing, for good: it is found no more, and none is stored in its place. */
  destroy(secret: Pick<VaultSecret, "utility" | "island" | "version">): Promise<void>;
}
