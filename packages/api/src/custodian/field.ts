import { c } from "@meterkeep/dlms";
import type { RotationPhase } from "./rotation.ts";
import { handle, meterTitle, oneOf, record, shortText, wholeNumber } from "./wire.ts";

/** What a technician may do with a meter under a lease: read it, or set its clock besides. */
export const LEASE_OPERATIONS = ["read", "set-clock"] as const;
export type LeaseOperation = (typeof LEASE_OPERATIONS)[number];

/** The most meters of one lease, and the longest one lasts. */
export const MAX_LEASE_METERS = 200;
export const MAX_LEASE_HOURS = 12;

/** A handheld by its public keys, as the JSON text that it wrote itself. */
export const enrolHandheldRequest = record({ publicKey: c.utf8({ max: 8192 }), technician: shortText });

export const giveLeaseRequest = record({
  handheld: shortText,
  meters: c.sequenceOf(meterTitle, { max: MAX_LEASE_METERS }),
  operations: c.sequenceOf(oneOf(LEASE_OPERATIONS), { max: 2 }),
  hours: c.unsigned8,
  /** Why, for the ledger and for those who approve. */
  reason: shortText,
});
/** The lease as the handheld takes it (docs/formats/lease.md): its keys open there alone. */
export const giveLeaseResponse = record({ lease: handle, file: c.utf8({ max: 900_000 }) });

/** What the handheld has written of its use, signed by it. */
export const returnLeaseRequest = record({ journal: c.utf8({ max: 900_000 }) });
export const loseHandheldRequest = record({ handheld: shortText, reason: shortText });

/** JSON text: see `FieldReport`. */
export const fieldReportResponse = record({ report: c.utf8({ max: 900_000 }) });

/** Where a page of exposures begins: behind a meter, and behind so many rows of the one that follows it. */
const exposurePlace = record({ after: c.optional(meterTitle), rows: wholeNumber });
export const exposureRequest = record({
  /** One of the two. */
  meter: c.optional(meterTitle),
  person: c.optional(shortText),
  /** The `next` of the former page. */
  from: c.optional(exposurePlace),
});
/** JSON text: a list of `Exposure`, and where to go on; absent at the end. */
export const exposureResponse = record({ exposures: c.utf8({ max: 900_000 }), next: c.optional(exposurePlace) });

/**
 * What a meter's counter says of a lease that is over, beside the journal: `awaited` until the meter was asked, `agrees` where both say
 * the same, `passed-over` where the meter has taken fewer, `untold` where nothing can be compared, and `finding` where it has taken
 * more than the journal says.
 */
export type LeaseOutcome = "awaited" | "agrees" | "passed-over" | "untold" | "finding";

/** What a meter says of a lease, by its counter or by its log, and in one sentence. */
export interface LeaseCount {
  readonly outcome: LeaseOutcome;
  readonly sentence: string;
}

/** A lease as it stands. `disputed`: its journal does not explain what its keys were used for. */
export interface LeaseState {
  readonly lease: string;
  readonly handheld: string;
  readonly technician: string;
  readonly from: number;
  readonly until: number;
  readonly operations: readonly LeaseOperation[];
  readonly state: "open" | "returned" | "expired" | "lost" | "disputed";
  /** Why it is disputed, a sentence each; none where it is not. */
  readonly disputes: readonly string[];
  /** Those whose keys are still open first, the riskiest of them before the others. */
  readonly meters: readonly LeasedMeterState[];
  /** Hours that keys in the handheld open meters, summed over the meters: up to now where one is not rotated. */
  readonly meterHours: number;
}

/** A meter of a lease. */
export interface LeasedMeterState {
  readonly meter: string;
  readonly label: string;
  /** When the keys that were lent had successors which the meter has proven; milliseconds since 1970 UTC. */
  readonly rotatedAt?: number;
  /** Hours since the lease began in which the lent keys opened the meter: up to now where they still do. */
  readonly exposedHours: number;
  /** Beside the journal; absent while the lease is open. */
  readonly counted?: LeaseCount;
  /** What its own log of local sessions says beside the journal: the same outcomes; absent while the lease is open. */
  readonly logged?: LeaseCount;
  /** How urgent its rotation is, higher first; absent where none is planned. */
  readonly risk?: number;
  /** Where its rotation stands, and in one sentence; absent where none is planned. */
  readonly phase?: RotationPhase;
  readonly sentence?: string;
}

/** How the field is. */
export interface FieldReport {
  readonly handhelds: readonly {
    readonly handheld: string;
    readonly keyId: string;
    readonly technician: string;
    readonly state: "enrolled" | "lost";
  }[];
  readonly leases: readonly LeaseState[];
}

/** Who could have seen which keys, in which form, from when until when. */
export interface Exposure {
  readonly meter: string;
  readonly who: string;
  /**
   * `added`: who sealed the keys of a single meter, or the default key of a device, to the custodian; `unknown`: the meter's record is
   * not what custody has written, and does not say.
   */
  readonly as:
    | "factory"
    | "carrier"
    | "technician"
    | "handheld lost"
    | "backup"
    | "escrow"
    | "other owner"
    | "added"
    | "unknown";
  readonly keys: string;
  /**
   * `clear`: its octets; `derivable`: by who recorded the change and held what it went under; `sealed`: not without the vault,
   * or the key that is named.
   */
  readonly form: "clear" | "derivable" | "sealed";
  readonly from: number;
  /** When those keys no longer opened the meter; absent while they do. */
  readonly until?: number;
  readonly why: string;
}
