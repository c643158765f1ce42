import type { TrustStateName } from "@meterkeep/api";
import type { TakeoverPhase, TakeoverVerdict } from "@meterkeep/api/custodian";
import type { Meter, MeterId } from "../inventory/meter.ts";
import type { Stretch } from "../reading/coverage.ts";
import type { TrustPeriod } from "../trust/trust-at.ts";

/**
 * Lower lanes are served first, but for the share of readings. Beside takeovers wait the batches: new keys, campaigns that
 * switch nothing on many meters, and meters that have called.
 */
export const LANES = { onDemand: 0, takeover: 1, reading: 2 } as const;
/** One place in so many goes to a reading that is due, so that a town of takeovers does not keep everybody else waiting. */
export const READING_SHARE = 4;
export type Lane = (typeof LANES)[keyof typeof LANES];

/** What was asked for on demand and was not got to within this is dropped, as a stale command is (MC-17). */
export const ON_DEMAND_SECONDS = 24 * 3_600;

/** How many meters a worker has places for. */
export interface Places {
  /** For any lane. */
  readonly any: number;
  /** Beyond those, for what is asked on demand alone, so that it never waits for the end of somebody else's session. */
  readonly onDemand: number;
}

/** What was asked for outside the ordinary order: a reading now, only the state of the supply, contacts for keys, or a command that is due. */
export type OnDemand = "read" | "verify" | "rotate" | "command";

/**
 * The right to hold one session with one meter, with what is to be known for it.
 *
 * The epoch is the fencing token: it rises with every lease of the meter, and what is written under an older one is
 * discarded.
 */
export interface Lease {
  readonly meter: Meter;
  readonly epoch: bigint;
  /** In which it waited. */
  readonly lane: Lane;
  /** Failures in a row before this one. */
  readonly attempts: number;
  readonly onDemand: OnDemand | undefined;
  readonly takeover: { readonly phase: TakeoverPhase; readonly verdict: TakeoverVerdict };
  readonly trust: { readonly state: TrustStateName; readonly reason: string };
  readonly trustHistory: readonly TrustPeriod[];
  /** What should be held of its load profile and is not, at the source. */
  readonly gaps: readonly Stretch[];
  /** The same of its power quality; absent: nothing. */
  readonly qualityGaps?: readonly Stretch[];
  /** Up to when its event logs are read, milliseconds since 1970 UTC at the source; absent: not at all, or its clock was moved since. */
  readonly loggedTo?: number;
  /** The newest end of a day whose registers are held, at the source. */
  readonly daysTo?: number;
  /** What its SIM may carry in this month is used up (MC-23). */
  readonly isSimUsedUp?: true;
  /** What reading on demand may take of that is used up: the rest is kept for scheduled reading. */
  readonly isSimShareUsed?: true;
  /** Push set-ups that its object list had when that was read last, on our clock; absent: it never was. */
  readonly pushSetUps?: { readonly listed: readonly string[]; readonly at: number };
}

/** When a meter is due next, and why. */
export interface NextDue {
  /** Milliseconds since 1970 UTC on our clock; infinity when nothing is to be done unless somebody asks. */
  readonly dueAt: number;
  readonly lane: Lane;
  readonly attempts: number;
  /** Error code of the session that failed. */
  readonly code?: string;
  /** What was asked for and could not be begun: it stays asked for, as long as that is not too old. */
  readonly onDemand?: OnDemand;
}

/** When a meter is due once its lease has ended, with what was asked for meanwhile. */
export type Due = Pick<NextDue, "dueAt" | "lane">;

/** A meter's lease by number: what it takes to end it. */
export interface LeaseRef {
  readonly meter: MeterId;
  readonly epoch: bigint;
}

/**
 * Work drawn from desired state (ADR 0005). Every adapter passes `workQueueContract`.
 */
export interface WorkQueue {
  /**
   * Leases meters that are due, as many as there are places, on-demand lane first and the longest due first; of what is due
   * in the reading lane, a share of the places in any case. A meter is leased to one owner at a time; a lease that ran out is
   * free again under a new epoch. What was asked on demand longer than {@link ON_DEMAND_SECONDS} ago is not asked any more:
   * the meter is leased for what is wanted of it.
   */
  lease(owner: string, places: Places, now: number, leaseSeconds: number): Promise<readonly Lease[]>;
  /** Takes meters into the queue, due at `at`; those that are in it stay as they are. */
  enrol(meters: readonly MeterId[], at: number, lane: Lane): Promise<void>;
  /** Ends a lease. @returns false, and nothing changes, when the epoch is no longer the newest. */
  release(ref: LeaseRef, next: NextDue): Promise<boolean>;
  /**
   * Frees all leases of an owner but those of `held`: when the database was away, results may have been lost with their
   * leases still standing, and leases may have been given that nobody heard of. Each counts as a failure and is due after a
   * backoff.
   */
  abandon(owner: string, held: readonly MeterId[], now: number): Promise<void>;
  /** Makes meters due, unless they are due earlier; those that are leased come again when their lease has ended. */
  due(meters: readonly MeterId[], at: number, lane: Lane, onDemand?: OnDemand): Promise<void>;
  /** When the next meter is due that nobody has leased; undefined when there is none. */
  nextDue(): Promise<number | undefined>;
}

/**
 * Makes a meter due that has called, or has said where it is reached now: before readings, since its line may not stay, and behind
 * what somebody asks for, since thousands do so at once when a network comes back.
 */
export async function dueAsHeard(queue: Pick<WorkQueue, "due">, meter: MeterId, now: number): Promise<void> {
  await queue.due([meter], now, LANES.takeover);
}
