import type { Operation } from "../operation/operation.ts";
import type { Thresholds } from "../threshold/thresholds.ts";
import type { RuleId } from "./rules.ts";

/** What the billing system says of a work order. */
export interface WorkOrder {
  readonly id: string;
  /** One of the reasons of commands. */
  readonly reason: string;
  /** Upper-case hex. */
  readonly meters: ReadonlySet<string>;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly cancelled: boolean;
}

/** What the billing system says of a customer. */
export interface Account {
  readonly inArrears: boolean;
  /** When the customer was told that supply ends. */
  readonly notifiedAt: number | undefined;
  /** What the contract grants, in watts. */
  readonly contractW: number | undefined;
}

/** What the weather office says of the hours to come, where the meters are. */
export interface Weather {
  /** Milliseconds since 1970 UTC: up to when it is said. */
  readonly until: number;
  readonly lowestCelsius: number;
  readonly highestCelsius: number;
}

/** One meter of a request, as the head-end knows it. */
export interface TargetFacts {
  readonly systemTitle: string;
  readonly feeder: string;
  readonly transformer: string;
  readonly loadW: number;
  /** What kind of protected site it is. */
  readonly protectedAs: string | undefined;
  /** Last time that what this request is about, load or injection, was switched there. */
  readonly lastSwitchedAt: number | undefined;
  /** Times that was switched in 24 hours. */
  readonly switchedToday: number;
  readonly account: Account | undefined;
  /** Whether its trust score is so low that what it says is not believed. */
  readonly isDoubted: boolean;
  /** Whether something that it said in the time that a bill rests on is disputed. */
  readonly isDisputed: boolean;
}

/** What is asked for, expanded. */
export interface RequestFacts {
  readonly operation: Operation;
  /** What it was asked for as, where that is not its kind: `image-transfer`. */
  readonly asked?: string;
  readonly requester: string;
  readonly reason: string;
  readonly isEmergency: boolean;
  readonly notBefore: number;
  readonly targets: readonly TargetFacts[];
  /** The most that is done within ten minutes by its plan. */
  readonly peak: { readonly meters: number; readonly loadW: number };
  /** The work order's id that was named; empty where none was. */
  readonly workOrderId: string;
  readonly workOrder: WorkOrder | undefined;
  /** Whether the billing system answered at all. */
  readonly billingAnswered: boolean;
  /** Whether people have signed that some of the targets are not believed. */
  readonly isDoubtSigned: boolean;
  /** A campaign that asks for the very same thing and is not over. */
  readonly sameAs: string | undefined;
}

/** Meters of a part of the grid. */
export interface PartFacts {
  readonly meters: number;
  /** What is rated, in watts; undefined for a feeder, or where nobody said. */
  readonly ratedW: number | undefined;
  /** Already switched off, or on their way, in the hour before. */
  readonly offInHour: number;
  /** And what those of the last ten minutes drew. */
  readonly offLoadInTenMinutesW: number;
}

/** The fleet, and what was done to it: to its load, or to its injection where the request is about that. */
export interface FleetFacts {
  readonly meters: number;
  readonly loadW: number;
  readonly off: {
    readonly tenMinutes: number;
    readonly day: number;
    readonly month: number;
    readonly loadInTenMinutesW: number;
  };
  readonly transformers: ReadonlyMap<string, PartFacts>;
  readonly feeders: ReadonlyMap<string, PartFacts>;
  /** Changes of direction between commands of the last five minutes. */
  readonly signChanges: number;
  /** Frozen by a person, or since the clock was set. */
  readonly frozen: string | undefined;
  /** Why the clock, ours or the custodian's, is not believed. */
  readonly clockTrouble: string | undefined;
}

/** What somebody is used to ask for: meters in each hour of 28 days in which there were any, and in this one. */
export interface PrincipalFacts {
  readonly hours: readonly number[];
  readonly thisHour: number;
  readonly operations: ReadonlySet<string>;
  /** Hours of the day, UTC, in which they have asked. */
  readonly hoursOfDay: ReadonlySet<number>;
  /** Networks from which they have asked, and the one of now; empty where nobody knows. */
  readonly networks: ReadonlySet<string>;
  readonly network: string;
}

/** All that the guard decides by. */
export interface GuardFacts {
  readonly now: number;
  readonly thresholds: Thresholds;
  readonly request: RequestFacts;
  readonly fleet: FleetFacts;
  readonly principal: PrincipalFacts;
  /** Undefined where the weather office said nothing that can be believed, or was not asked. */
  readonly weather: Weather | undefined;
}

/** What a rule has found. `meters` are those it is about, or all of the request. */
export interface Finding {
  readonly rule: RuleId;
  /** `stop`: it is refused, and no person waives it; `quarantine`: another person may; `warn`: it is said. */
  readonly effect: "stop" | "quarantine" | "warn";
  readonly about: "request" | "meters";
  readonly sentence: string;
  readonly meters: readonly TargetFacts[];
}
