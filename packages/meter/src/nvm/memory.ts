import type { StoredCredentials } from "../certificates/credentials.ts";
import type { RelayTransition } from "../load/relay-history.ts";
import type { FactoryKeys, ProductionRecord } from "../production.ts";
import type { UnixSeconds } from "../time/calendar.ts";
import type { MeterSettings } from "./settings.ts";

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

/** What is kept of a security setup: its keys in force and its counters. */
export interface StoredSetup {
  readonly keys: FactoryKeys;
  /** No counter below this was left unused for sending. */
  readonly sendCounter: number;
  /** Highest counters accepted under the unicast and the broadcast key; -1 for none. */
  readonly receivedUnicast: number;
  readonly receivedBroadcast: number;
}

/** Everything a meter finds in its memory when it comes up, of its first security setup what a setup keeps. */
export interface StoredMeter extends StoredSetup {
  /** Without keys: those in force are in `keys`. */
  readonly record: Omit<ProductionRecord, "keys" | "setups">;
  /** Its security setups beside the first, by the `e` of 0-0:43.0.e.255, rising. */
  readonly setups: readonly (StoredSetup & { readonly setup: number })[];
  /** Key pairs and certificates; absent before the first change. */
  readonly credentials?: StoredCredentials | undefined;
  /** The quarter hour in which it was first powered. */
  readonly firstInterval: number;
  readonly relay: readonly RelayTransition[];
  readonly events: readonly LoggedEvent[];
  readonly settings: MeterSettings;
}

/** A change of what a security setup keeps. */
export type SetupChange = {
  /** The security setup; the first where absent. */
  readonly setup?: number;
} & (
  | { readonly kind: "key"; readonly purpose: KeyPurposeName; readonly octets: Uint8Array }
  | { readonly kind: "counters"; readonly send: number; readonly unicast: number; readonly broadcast: number }
);

/** A change of a meter's memory. */
export type MemoryChange =
  | SetupChange
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
