import type { RecipientKey } from "@meterkeep/api/custodian";
import type { LedgerKeeper } from "@meterkeep/ledger";
import type { Authority } from "../authority/authority.ts";
import type { Enrolment } from "../authority/enrolment.ts";
import type { RelyingParty } from "../authority/people/passkey.ts";
import type { RecoveryRecipient } from "../backup/recovery-key.ts";
import type { Caller } from "../calls/caller.ts";
import type { BucketSize } from "../calls/token-bucket.ts";
import type { Sender } from "../departure/sender.ts";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import type { HeadEnds } from "../head-ends/head-ends.ts";
import type { LedgerOptions } from "../ledger/open-keeper.ts";
import type { Pki, PkiOptions } from "../pki/open-pki.ts";
import type { KeepingOf } from "../session/session-keys.ts";
import type { TrustedManufacturer } from "../shipment/manufacturer.ts";
import type { Pace } from "../takeover/candidates.ts";
import type { VaultSource } from "../vault/open-vault.ts";
import type { Resealed } from "../vault/resealing.ts";
import type { RootChanged } from "../vault/root-change.ts";
import type { RootKeySource } from "../vault/root-key.ts";
import type { CustodianService } from "./service.ts";

/** What custody is opened with. */
export interface CustodyOptions {
  /** What the vault is opened with. */
  readonly vault: VaultSource;
  readonly manufacturers: readonly TrustedManufacturer[];
  /** A folder of the custodian's own; it makes `uploads` in it. */
  readonly stateFolder: string;
  /**
   * A folder on other storage than the database, where every new key is kept before it is sent; `escrow` in the state
   * folder unless given, which survives the loss of the database only.
   */
  readonly escrowFolder?: string | undefined;
  readonly version: string;
  readonly separateUser: boolean;
  /** How often meters are tried with keys they may not hold; `FIELD_PACE` unless given. */
  readonly pace?: Pace;
  /** How long sessions have the keys of a meter in clear; while they are open unless given. */
  readonly keeping?: KeepingOf | undefined;
  /** What a principal may use up of a meter's counters; `DEFAULT_SEAL_BUDGET` unless given. */
  readonly sealBudget?: BucketSize | undefined;
  /** Sessions open at once, over all callers, each of which takes up to 4 KiB; 200 000 unless given. */
  readonly mostSessions?: number | undefined;
  /** Witnesses and pace of the ledger; a file in the state folder, and the defaults, unless given. */
  readonly ledger?: LedgerOptions | undefined;
  /** How the authorities of the PKI are kept; none are made unless told. */
  readonly pki?: PkiOptions | undefined;
  /** Who can open backups; none are made without. */
  readonly recovery?: readonly RecoveryRecipient[];
  readonly now: () => number;
  /** Milliseconds of a clock that nobody sets, from anywhere; the wall clock unless given, which nobody is then held against. */
  readonly monotonic?: (() => number) | undefined;
  /** Where people sign with passkeys: the custodian's own page. None unless given: user keys only. */
  readonly page?: RelyingParty | undefined;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/** Custody, open. */
export interface Custody {
  /** Who may have it do what is dangerous. */
  readonly authority: Authority;
  readonly enrolment: Enrolment;
  readonly service: CustodianService;
  /** For entries that a caller can cause as often as it likes. */
  readonly bursts: EntryBursts;
  readonly now: () => number;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
  readonly recipient: RecipientKey;
  /** Who signs leases and shipments of ours. */
  readonly sender: () => Promise<Pick<Sender, "keyId">>;
  /** What the journals of the last weeks' leases do not explain, a sentence each, the newest first. */
  readonly disputedLeases: () => readonly string[];
  readonly rootKeyCreated: boolean;
  readonly meters: number;
  /** How the ledger is kept. */
  readonly ledger: LedgerKeeper;
  /** The authorities of the PKI. */
  readonly pki: Pki;
  /** Head-ends of other vendors, for the key service. */
  readonly headEnds: HeadEnds;
  /** Gives the vault another root key, as the owner of the schema: for a process that serves nobody. */
  rewrapVault(next: RootKeySource, caller: Caller, reason: string): Promise<RootChanged>;
  /** Seals meter keys anew that lie under former vault keys; as the owner of the schema as well. */
  resealMeterKeys(caller: Caller, onPage?: (done: Resealed) => void): Promise<Resealed>;
  /** Closes at once what a caller has left open that is known to have gone. */
  gone(name: string): Promise<void>;
  /** Closes what was left open by callers that went away; to be called every few seconds. */
  sweep(): Promise<void>;
  /** Reads on in the ledger for what was changed in it; to be called every second. @returns whether it has come to its end. */
  patrol(): Promise<boolean>;
  /** What somebody is in the midst of: a sentence for each kind, none where nothing is. For whoever waits for `close` in vain. */
  underWay(): readonly string[];
  /** Ends what is open and waits until everything is written. */
  close(): Promise<void>;
}
