import type { MeterKind, PublicConfig, Warning } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import type { NegotiatedChannel } from "@meterkeep/api/custodian-channel";
import type {
  Campaigns,
  Challenges,
  EventHub,
  GatewayPolicy,
  GuardView,
  Inventory,
  Logins,
  MachineTokens,
  MeterGroups,
  MeterId,
  Passkeys,
  People,
  PushSources,
  Scope,
  SourceClock,
  SqlPool,
  TimeZone,
  WantedAt,
  WorkQueue,
} from "@meterkeep/headend";
import type { Ledger } from "@meterkeep/ledger";
import type { CustodianWatch } from "../custodian-watch.ts";
import type { Drills } from "../drill/drills.ts";
import type { EventStreams } from "../http/event-stream.ts";
import type { Organisation } from "../sign-in/organisation.ts";

/** A TLS connection to another part of the platform. */
export interface OpenConnection extends NegotiatedChannel {
  readonly name: string;
  /** Milliseconds since 1970 UTC, where it is known. */
  readonly since: number | undefined;
}

/** How the custodian's ledger is looked into. */
export type LedgerCalls = "ledgerState" | "ledgerProof" | "ledgerConsistency" | "ledgerCheckpoints";

/** How the PKI is looked at, and what of it is published. */
export type PkiCalls =
  | "authorities"
  | "searchCertificates"
  | "newestCertificates"
  | "expiryBoard"
  | "revocationEffect"
  | "authorityMeters"
  | "revocations"
  | "publishedList"
  | "publishedAnswer";

/** What the handlers of the API work with: the parts of a running head-end. */
export interface Context {
  readonly pool: SqlPool;
  readonly scope: Scope;
  readonly inventory: Inventory;
  readonly queue: WorkQueue;
  /** Says that work may be due. */
  wake(): void;
  readonly people: People;
  readonly tokens: MachineTokens;
  readonly passkeys: Passkeys;
  readonly logins: Logins;
  readonly challenges: Challenges;
  /** Where people may sign in with their organisation's provider. */
  readonly organisation: Organisation | undefined;
  readonly pushSources: PushSources;
  readonly gateways: GatewayPolicy;
  /** A real meter is in the inventory from now on: it is recognised, and its gateway listened to. */
  attached(meter: { readonly systemTitle: string; readonly source: string | undefined }): Promise<void>;
  /** A meter is no longer ours: its line says so from now on. */
  left(meter: MeterId): Promise<void>;
  readonly custodian: Pick<
    Custodian,
    | "addMeter"
    | "authorityState"
    | "changes"
    | "departMeters"
    | "fieldReport"
    | "loseHandheld"
    | "suspendApprover"
    | "describeKeys"
    | "freeze"
    | "enrolmentStates"
    | "ledgerEntries"
    | "status"
    | LedgerCalls
    | PkiCalls
  >;
  /** Its TLS connections that are open, as they were negotiated. */
  connections(): Promise<readonly OpenConnection[]>;
  readonly custodianWatch: CustodianWatch;
  readonly ledger: Ledger;
  readonly campaigns: Campaigns;
  readonly groups: MeterGroups;
  readonly guard: GuardView;
  readonly drills: Drills;
  readonly hub: EventHub;
  readonly streams: EventStreams;
  clockOf(kind: MeterKind): SourceClock;
  /** Of the utility: its days, and the deadlines of its service level. */
  readonly zone: TimeZone;
  /** What the head-end should hold of its meters' intervals. */
  readonly wanted: WantedAt;
  readonly config: PublicConfig;
  warnings(): readonly Warning[];
  now(): number;
}
