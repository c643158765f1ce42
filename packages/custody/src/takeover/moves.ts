import type { StepOutcome, TakeoverStep, TakeoverVerdict } from "@meterkeep/api/custodian";
import type { Pace } from "./candidates.ts";
import { type Contact, type Journal, type TakeoverEffect, withStep } from "./journal.ts";

/** What the machine needs to know about its meter and its limits. */
export interface TakeoverRules {
  readonly pace: Pace;
  /** Whether the meter takes several keys in one key_transfer. */
  readonly arrays: boolean;
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
  const note: TakeoverEffect = { kind: "note", what: "takeover-concluded", detail: `${verdict}: ${detail}` };
  return release({ ...journal, verdict }, ...before, note);
}

/** Drops the line without a release and comes back at once: what was just transferred shows in the next association. */
export function reconnect(journal: Journal, step: TakeoverStep): Stepped {
  return [
    { ...journal, contact: undefined },
    { kind: "close", step, next: "reconnect", milliseconds: 0 },
  ];
}
