import type { MeterPlace, Registry } from "./registry.ts";

/** A signed table of assignments, as it is kept. */
export interface AssignmentRecord {
  readonly number: number;
  /** As `signAssignments` gives it. */
  readonly octets: Uint8Array;
  readonly addedAt: number;
}

/** What a one-time password of enrolment is good for. The password itself is nowhere. */
export interface EnrolmentPassword {
  /** SHA-256 of the password: it has 128 random bits, so that nobody guesses it from its hash. */
  readonly hash: Uint8Array;
  /** Who is to enrol with it, for people: the user name that the client sends. */
  readonly name: string;
  readonly authority: string;
  readonly profile: string;
  /** What the certificate will say, whatever the request asks: `SubjectOf` as JSON, system titles in hex. */
  readonly subject: string;
  readonly madeBy: string;
  readonly madeAt: number;
  readonly endsAt: number;
  readonly usedAt: number | undefined;
  /** What binds all of it but its use to whoever keeps the store, where it is bound. */
  readonly mac?: Uint8Array | undefined;
}

/** How far a revocation in stages is: refused by the platform, removed from meters, islands cut. */
export const REVOCATION_STAGES = ["refuse", "remove", "cut"] as const;
export type RevocationStage = (typeof REVOCATION_STAGES)[number];
/** `withdrawn`: taken back before it began. */
export const PLAN_STATES = ["planned", "running", "stopped", "done", "withdrawn"] as const;
export type PlanState = (typeof PLAN_STATES)[number];

/** A revocation in stages. */
export interface RevocationPlan {
  readonly id: string;
  readonly authority: string;
  /** The one certificate of that authority that is revoked, lower-case hex; undefined where the whole authority is. */
  readonly serial: string | undefined;
  readonly reason: string;
  readonly plannedBy: string;
  readonly plannedAt: number;
  readonly stage: RevocationStage;
  /** Of that stage; `done` of the last stage, as `lastStage` says, ends the plan. */
  readonly state: PlanState;
  /** Meters that it concerns. */
  readonly meters: number;
  /** Certificates revoked, or meters freed, in this stage. */
  readonly finished: number;
}

/** Where a plan ends: nobody cuts an island for one certificate. */
export function lastStage({ serial }: Pick<RevocationPlan, "serial">): RevocationStage {
  return serial === undefined ? "cut" : "remove";
}

/** Whether a plan has come to its end. */
export function isOver(plan: Pick<RevocationPlan, "serial" | "stage" | "state">): boolean {
  return plan.state === "withdrawn" || (plan.stage === lastStage(plan) && plan.state === "done");
}

/** Whether a plan takes trust from a whole authority: one that was withdrawn has taken it from nobody. */
export function isAgainstAuthority(plan: Pick<RevocationPlan, "serial" | "state">): boolean {
  return plan.serial === undefined && plan.state !== "withdrawn";
}

/** A meter from which certificates are to be removed, and what came of it. */
export interface CertificateRemoval extends MeterPlace {
  readonly plan: string;
  readonly finishedAt: number | undefined;
  readonly outcome: string | undefined;
}

/** An island that is cut. */
export interface IslandCut {
  readonly plan: string;
  readonly utility: string;
  readonly island: string;
  readonly cutAt: number;
}

/** What is remembered of revocations in stages. */
export interface RevocationPlans {
  /** @throws PkiError `revocation-refused` where one of this authority, or of this certificate, is open */
  add(plan: RevocationPlan): Promise<void>;
  list(): Promise<readonly RevocationPlan[]>;
  /** Moves a plan that is where `from` says; false where it is somewhere else. */
  move(
    id: string,
    from: Pick<RevocationPlan, "stage" | "state">,
    to: Pick<RevocationPlan, "stage" | "state" | "finished">,
  ): Promise<boolean>;
  addRemovals(plan: string, meters: readonly MeterPlace[]): Promise<void>;
  /** As `addRemovals`, also of meters whose rows say that they were freed. */
  reopenRemovals(plan: string, meters: readonly MeterPlace[]): Promise<void>;
  /** Open ones first in the order of their titles, after a title. */
  removals(plan: string, after: string | undefined, limit: number): Promise<readonly CertificateRemoval[]>;
  openRemovals(plan: string): Promise<number>;
  /** Plans by which this meter is to be freed of certificates, and is not yet. */
  plansOf(systemTitle: string): Promise<readonly string[]>;
  /** False where it was finished before, or never planned. */
  finishRemoval(plan: string, systemTitle: string, at: number, outcome: string): Promise<boolean>;
  cut(plan: string, places: readonly Pick<IslandCut, "utility" | "island">[], at: number): Promise<void>;
  lift(plan: string, at: number): Promise<void>;
  /** Islands that are cut now. */
  cuts(): Promise<readonly IslandCut[]>;
}

/** Until when an answer may be given again, and what it says. */
export interface AnswerTerm {
  readonly serial: string;
  readonly isRevoked: boolean;
  readonly until: number;
}

/** An answer about one certificate that was signed before anybody asked. */
export interface AnswerRecord extends AnswerTerm {
  readonly authority: string;
  readonly octets: Uint8Array;
}

/** Answers that were signed ahead; whoever reads one verifies it. */
export interface AnswerRecords {
  /** In the place of those before. */
  put(answers: readonly AnswerRecord[]): Promise<void>;
  find(authority: string, serial: string): Promise<AnswerRecord | undefined>;
  /** Of those of these certificates that there are. */
  terms(authority: string, serials: readonly string[]): Promise<readonly AnswerTerm[]>;
}

/** Everything a PKI remembers. Every adapter passes `pkiStoreContract`. */
export interface PkiStore {
  readonly registry: Registry;
  readonly assignments: {
    newest(): Promise<AssignmentRecord | undefined>;
    /** @throws PkiError `serial-taken` where the number was given */
    add(record: AssignmentRecord): Promise<void>;
  };
  readonly passwords: {
    add(password: EnrolmentPassword): Promise<void>;
    /** Uses one up: gives it once, where it has not ended. */
    take(hash: Uint8Array, at: number): Promise<EnrolmentPassword | undefined>;
    /** Makes one good again that was used and for which nothing was issued. */
    giveBack(hash: Uint8Array, at: number): Promise<void>;
  };
  readonly plans: RevocationPlans;
  readonly answers: AnswerRecords;
}
