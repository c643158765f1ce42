import type { PortProtectionSettings, PortProtectionState } from "@meterkeep/dlms";
import type { StoredCredentials } from "../certificates/credentials.ts";
import type { RelayTransition } from "../load/relay-history.ts";
import type { StoredMBusChannel } from "../m-bus.ts";
import type { FactoryKeys, ProductionRecord } from "../production.ts";
import type { PushKind } from "../push-schedule.ts";
import type { PushChanges } from "../push-setup.ts";
import type { StoredTariff } from "../tariff.ts";
import type { UnixSeconds } from "../time/calendar.ts";

/** A purpose of a key. */
export type KeyPurposeName = keyof FactoryKeys;

/** An event as a log keeps it. */
export interface LoggedEvent {
  readonly log: number;
  /** Counts the events of the log since the meter was made. */
  readonly sequence: number;
  readonly at: UnixSeconds;
  readonly code: number;
}

/** What can be set in a meter and must outlive a power cut. Absent members have their factory value. */
export interface MeterSettings {
  /** Octets of the push destination, ASCII `host:port`. */
  readonly pushDestination?: string;
  /** What has been changed of its push setups. */
  readonly pushSetups?: Partial<Readonly<Record<PushKind, PushChanges>>>;
  /** Limiter threshold in W. */
  readonly limiterThresholdW?: number;
  readonly limiterEmergencyW?: number;
  /** How long a value is over its threshold before the limiter acts, and how long under it. */
  readonly limiterSeconds?: number;
  readonly limiterUnderSeconds?: number;
  /** The load relays that are open, by number. */
  readonly openRelays?: readonly number[];
  readonly tariff?: StoredTariff;
  readonly mBus?: StoredMBusChannel;
  /** control_mode of disconnect control. */
  readonly disconnectMode?: number;
  /** Whether a reconnection waits for somebody at the meter. */
  readonly awaitsReconnection?: boolean;
  /** security_policy in the version of the profile's security setup. */
  readonly securityPolicy?: number;
  /** Secrets of clients that were changed since the factory, as hex by the name of their association. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** How its port is protected against guessing, and what has been guessed so far. */
  readonly portProtection?: PortProtectionSettings;
  readonly failedAttempts?: PortProtectionState;
  /** The firmware that was activated last, where it is not that of the factory any more. */
  readonly firmware?: string;
  /** Seconds that its clock is off the town's time, since somebody set it or it drifted. */
  readonly clockOffsetSeconds?: number;
  /** When the scheduled disconnection or reconnection is due, and which script it runs. */
  readonly scheduled?: { readonly at: UnixSeconds; readonly script: number };
  /** When a meter that is still in the depot acknowledged new keys last. */
  readonly acknowledgedAt?: UnixSeconds;
  /** Whether a depot meter has been handed over to the field. */
  readonly inField?: boolean;
}

/** Everything a meter finds in its memory when it comes up. */
export interface StoredMeter {
  /** Without keys: those in force are in `keys`. */
  readonly record: Omit<ProductionRecord, "keys">;
  readonly keys: FactoryKeys;
  /** Key pairs and certificates; absent before the first change. */
  readonly credentials?: StoredCredentials | undefined;
  /** The quarter hour in which it was first powered. */
  readonly firstInterval: number;
  /** No counter below this was left unused for sending. */
  readonly sendCounter: number;
  /** Highest counters accepted under the unicast and the broadcast key; -1 for none. */
  readonly receivedUnicast: number;
  readonly receivedBroadcast: number;
  readonly relay: readonly RelayTransition[];
  readonly events: readonly LoggedEvent[];
  readonly settings: MeterSettings;
}

/** A change of a meter's memory. */
export type MemoryChange =
  | { readonly kind: "key"; readonly purpose: KeyPurposeName; readonly octets: Uint8Array }
  | { readonly kind: "counters"; readonly send: number; readonly unicast: number; readonly broadcast: number }
  | { readonly kind: "credentials"; readonly credentials: StoredCredentials }
  | { readonly kind: "relay"; readonly transition: RelayTransition }
  /** `capacity` is that of the log: older events make room. */
  | { readonly kind: "event"; readonly event: LoggedEvent; readonly capacity: number }
  | { readonly kind: "settings"; readonly settings: MeterSettings };

/**
 * The non-volatile memory of a town's meters.
 *
 * A change counts once `commit` has returned; before that a power cut undoes all changes since the last commit, never a part of them.
 * So an answer that rests on a change leaves the meter after `commit`.
 */
export interface MeterMemory {
  /** Takes meters in as the factory made them; those it has already stay as they are. Durable when it returns. */
  install(meters: readonly { readonly record: ProductionRecord; readonly firstInterval: number }[]): void;
  /** All meters, in the order in which they were installed. */
  meters(): StoredMeter[];
  /** Notes a change of the meter with the system title. */
  write(systemTitle: string, change: MemoryChange): void;
  /** Whether changes wait for `commit`. */
  readonly dirty: boolean;
  /** Makes all changes noted so far durable: they survive `kill -9`, and keys and certificates also a power cut of the machine. */
  commit(): void;
  /** Commits and lets go of the store. */
  close(): void;
}
