import type { PortProtectionSettings, PortProtectionState, PushSettings } from "@meterkeep/dlms";
import type { RelayTransition } from "../load/relay-history.ts";
import type { PushKind } from "../push-schedule.ts";
import type { UnixSeconds } from "../time/calendar.ts";

/** What is kept of a channel. */
export interface StoredMBusChannel {
  readonly primaryAddress: number;
  readonly capturePeriod: number;
  /** What its gas meter was made with, in hex; absent where that has no keys. */
  readonly defaultKey?: string;
  /** What the gas meter encrypts with since it was given a key, and what the meter decrypts with, in hex. */
  readonly deviceKey?: string;
  readonly usedKey?: string;
}

/** What a client has changed of a push setup; the destination is one for both. */
export type PushChanges = Partial<
  Pick<
    PushSettings,
    "pushObjectList" | "communicationWindow" | "randomisationStartInterval" | "numberOfRetries" | "repetitionDelay"
  >
>;

/** What a client has set of the tariff, as encoded attributes in hex. */
export interface StoredTariff {
  readonly active: readonly string[];
  readonly passive: readonly string[];
  readonly activation: string;
  readonly specialDays: string;
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
  /** The limiter's emergency profile, while there is one. */
  readonly emergency?: { readonly profileId: number; readonly from: UnixSeconds; readonly seconds: number };
  /** How long a value is over its threshold before the limiter acts, and how long under it. */
  readonly limiterSeconds?: number;
  readonly limiterUnderSeconds?: number;
  /** The load relays that are open, by number. */
  readonly openRelays?: readonly number[];
  /** When the relay of injection moved. */
  readonly feedMoves?: readonly RelayTransition[];
  readonly tariff?: StoredTariff;
  readonly mBus?: StoredMBusChannel;
  /** control_mode of disconnect control. */
  readonly disconnectMode?: number;
  /** Whether a reconnection waits for somebody at the meter. */
  readonly awaitsReconnection?: boolean;
  /** security_policy in the version of the profile's security setup. */
  readonly securityPolicy?: number;
  /** The same of security setups beside the first, by their number. */
  readonly setupPolicies?: Readonly<Record<number, number>>;
  /** The security setups beside the first whose new master key it has acknowledged while it was in the depot. */
  readonly setupsKeyed?: readonly number[];
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
  /** When the image that was transferred is activated by the meter itself. */
  readonly activateAt?: UnixSeconds;
  /** When a meter that is still in the depot acknowledged new keys last. */
  readonly acknowledgedAt?: UnixSeconds;
  /** Whether a depot meter has been handed over to the field. */
  readonly inField?: boolean;
}
