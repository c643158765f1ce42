import type { QuantityKind, QuantityName } from "./quantity.ts";

/** Things a meter writes into its event logs. */
export type MeterEvent =
  | "powerUp"
  | "authenticationFailed"
  | "keysChanged"
  | "protectionFailed"
  | "replay"
  | "configurationChanged"
  /** In the time before the move, and in the time after it. */
  | "clockLeft"
  | "clockAdjusted"
  | "localSessionStarted"
  | "localSessionEnded"
  /** Somebody at the local interface was not let in. */
  | "localAttempt"
  | "remoteDisconnection"
  | "remoteConnection"
  | "readyForReconnection"
  | "limiterExceeded"
  | "limiterOk";

/** One event log: a profile of clock and code. */
export interface EventLogFacts {
  readonly name: string;
  readonly obis: string;
  /** The Data object that holds the last code; the log's second column. */
  readonly codeObis: string;
  readonly capacity: number;
  /** Code by event; events without a row are not logged here. */
  readonly codes: Partial<Readonly<Record<MeterEvent, number>>>;
}

/** A column of a profile. */
export type Column = "clock" | "status" | QuantityName;

/** A load profile, a daily one, or one of power quality. */
export interface ProfileFacts {
  readonly obis: string;
  readonly capturePeriodSeconds: 600 | 900 | 86_400;
  readonly capacity: number;
  readonly columns: readonly Column[];
  /** How a part of it can be asked for. */
  readonly selection: readonly ("range" | "entry")[];
}

/** A client with a password, or with the secret of mechanism 2. */
export interface SecretClientFacts {
  /** Name of its association; the factory's secret lies under it in the production file. */
  readonly name: string;
  readonly clientSap: number;
  readonly authentication: "lls" | "hls";
  /** Its association object, through which the management client gives it another secret. */
  readonly object: string;
}

/** A security setup beside the first, and the one client that opens the meter under it (HLS 5). */
export interface FurtherSetupFacts {
  /** The `e` of 0-0:43.0.e.255, from 1, without a gap. */
  readonly setup: number;
  /** It reads everything and changes the keys of its setup; its association object names the setup (class 15, attribute 9). */
  readonly client: { readonly name: string; readonly clientSap: number; readonly object: string };
}

/** How meters of one companion specification look to a client. Everything that differs between them is here. */
export interface CompanionProfile {
  readonly id: string;
  readonly name: string;
  readonly models: { readonly singlePhase: string; readonly threePhase: string; readonly transformer: string };
  /** A client with all rights that proves itself by signature (HLS 7); for meters of suites 1 and 2. */
  readonly signingClient?: number;
  /** Further clients with read-only HLS 5 associations under the same security setup. */
  readonly readingClients: readonly number[];
  /** Clients that open with a secret of their own, unciphered, to read a few objects. */
  readonly secretClients: readonly SecretClientFacts[];
  /** Security setups beside the first, each with keys and counters of its own; absent where there are none. */
  readonly furtherSetups?: readonly FurtherSetupFacts[];
  /** Bits of security_policy that a meter leaves the factory with. */
  readonly factoryPolicy: number;
  readonly maxReceivePduSizeBytes: number;
  /** Whether GET, SET and ACTION take lists. */
  readonly lists: boolean;
  /** Whether it takes part in general-glo protection besides the service-specific one. */
  readonly generalProtection: boolean;
  /** Whether APDUs longer than its PDU size may come in general blocks. */
  readonly generalBlockTransfer: boolean;
  readonly securitySetupVersion: 0 | 1;
  readonly associationVersion: 1 | 2 | 3;
  /** Of the M-Bus clients (class 72). */
  readonly mBusVersion: 0 | 1;
  /** Keys that one key_transfer may carry. */
  readonly keysPerTransfer: number;
  /** Whether the clock follows summer time. */
  readonly summerTime: boolean;
  /** A value counts `10^scaler` units. */
  readonly scalers: Readonly<Record<QuantityKind, number>>;
  readonly registers: readonly QuantityName[];
  readonly status: { readonly obis: string; readonly type: "unsigned" | "long-unsigned" };
  readonly loadProfile: ProfileFacts;
  readonly dailyProfile: ProfileFacts;
  /** Of power quality, where meters have one: clock and quantities, those of phases that are connected. */
  readonly qualityProfile?: ProfileFacts;
  readonly logs: readonly EventLogFacts[];
  /** control_mode of disconnect control (Blue Book 4.5.8). */
  readonly disconnectMode: number;
  readonly push: { readonly obis: string; readonly columns: readonly Column[]; readonly transport: "tcp" | "udp" };
}
