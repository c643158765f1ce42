import type { StepOutcome, TakeoverStep, TakeoverVerdict } from "@meterkeep/api/custodian";
import type { SecretPurpose } from "../store/records.ts";
import type { Pace } from "./candidates.ts";
import { gradeOf } from "./grade.ts";
import { type Contact, type Journal, type PreparedKeys, type TakeoverEffect, withStep } from "./journal.ts";

/** What the machine needs to know about its meter and its limits. */
export interface TakeoverRules {
  readonly pace: Pace;
  /** Whether the meter takes several keys in one key_transfer. */
  readonly arrays: boolean;
  /** Clients with a secret of their own, and whether we were told the one that the factory gave them. */
  readonly secrets: readonly { readonly purpose: SecretPurpose; readonly client: number; readonly known: boolean }[];
  /** Whether both sides can sign what a master comes from: the meter is known by its signature. */
  readonly agreement: boolean;
  /** M-Bus channels whose device's default key is held. */
  readonly children: readonly number[];
  /**
   * Of the first security setup those beside it that are taken over in their turn. Undefined of such a one: what it would be asked of
   * clients and setups, the first tells.
   */
  readonly further: readonly number[] | undefined;
  /** Whether keys of security setups beside the first are held: what its takeover alone is worth is not the meter's grade then. */
  readonly hasFurther: boolean;
  /** Bits that security_policy must have; `found` where the profile is not known, and with it the version of the security setup. */
  readonly policy: number | "found" | undefined;
}

/** A journal and what is to be done once it is durable. */
export type Stepped = readonly [journal: Journal, ...effects: readonly TakeoverEffect[]];

/** The contact that an event belongs to. */
export function contactOf(journal: Journal): Contact {
  if (journal.contact === undefined) throw new Error("a takeover heard of a contact that it has not");
  return journal.contact;
}

/** Changes the contact under way. */
export function inContact(journal: Journal, change: Partial<Contact>): Journal {
  return { ...journal, contact: { ...contactOf(journal), ...change } };
}

/** Adds a line to the history. */
export function noted(journal: Journal, step: TakeoverStep, at: number, outcome: StepOutcome, detail: string): Journal {
  return withStep(journal, { step, at, outcome, detail });
}

/** Keys are made, kept and in escrow before they are sent. */
export function prepared(journal: Journal, transfer: PreparedKeys, done: readonly TakeoverEffect[]): Stepped {
  const { step, keys } = transfer;
  const waiting = inContact({ ...journal, prepared: transfer }, { stage: "preparing", step });
  return [waiting, ...done, { kind: "prepare", step, keys }];
}

/** Ends the association in good order. */
export function release(journal: Journal, ...before: readonly TakeoverEffect[]): Stepped {
  return [inContact(journal, { stage: "releasing", step: "release" }), ...before, { kind: "release", step: "release" }];
}

/** Ends the takeover with a verdict against the meter. */
export function conclude(
  journal: Journal,
  verdict: TakeoverVerdict,
  detail: string,
  ...before: readonly TakeoverEffect[]
): Stepped {
  return release({ ...journal, verdict }, ...before, concludedNote(journal, verdict, detail));
}

/** The ledger's entry of an end against the meter. */
export function concludedNote({ cause }: Journal, verdict: TakeoverVerdict, why: string): TakeoverEffect {
  const what = cause === "takeover" ? "takeover-concluded" : "rotation-concluded";
  return { kind: "note", what, detail: `${verdict}: ${why}` };
}

/** The ledger's entry of a change of keys that is proven. */
export function provenNote(journal: Journal, { hasFurther }: Pick<TakeoverRules, "hasFurther">): TakeoverEffect {
  if (journal.cause !== "takeover") return { kind: "note", what: "rotation-proven", detail: journal.cause };
  // The takeovers of other setups are proven after this one, if at all.
  const isOpenBeside = hasFurther || (journal.search?.setups ?? []).length > 0;
  return { kind: "note", what: "takeover-proven", detail: isOpenBeside ? "exposed" : gradeOf(journal) };
}

/** What a step with the old keys is called: those of a rotation are not the factory's. */
export function stepFor({ cause }: Journal, step: "factory-association" | "refuse-factory-keys"): TakeoverStep {
  if (cause === "takeover") return step;
  return step === "factory-association" ? "current-keys-association" : "refuse-old-keys";
}

/** Drops the line without a release and comes back at once: what was just transferred shows in the next association. */
export function reconnect(journal: Journal, step: TakeoverStep, done: readonly TakeoverEffect[] = []): Stepped {
  return [{ ...journal, contact: undefined }, ...done, { kind: "close", step, next: "reconnect", milliseconds: 0 }];
}
