import type { StepOutcome } from "@meterkeep/api/custodian";
import { type Pace, retryAfter } from "../takeover/candidates.ts";
import {
  type CertificateName,
  type Chain,
  type EnrolledUse,
  type EnrolmentContact,
  type EnrolmentEffect,
  type EnrolmentEvent,
  type EnrolmentJournal,
  isFurnished,
  isOver,
  type Slot,
  withStep,
} from "./journal.ts";

/** What an enrolment is ruled by. */
export interface EnrolmentRules {
  readonly chain: Chain;
  readonly pace: Pace;
}

export type Enrolled = readonly [EnrolmentJournal, ...EnrolmentEffect[]];

export type EventOf<K extends EnrolmentEvent["kind"]> = Extract<EnrolmentEvent, { kind: K }>;

/** How often a call may come to nothing before that is the verdict. */
export const MOST_ROUNDS = 2;

/** The uses in words. */
export const WORDS: Readonly<Record<EnrolledUse, string>> = {
  digitalSignature: "signatures",
  keyAgreement: "key agreement",
  tls: "TLS",
};

/** What is done next in this contact, and what about. */
export function doing(
  journal: EnrolmentJournal,
  stage: EnrolmentContact["stage"],
  effect: Extract<EnrolmentEffect, { step: EnrolmentContact["step"] }>,
  about?: string,
): Enrolled {
  return [inContact(journal, { stage, step: effect.step, about }), effect];
}

export function inContact(journal: EnrolmentJournal, change: Partial<EnrolmentContact>): EnrolmentJournal {
  return { ...journal, contact: { ...contactOf(journal), ...change } };
}

export function contactOf({ contact }: EnrolmentJournal): EnrolmentContact {
  if (contact === undefined) throw new Error("something happened to an enrolment without a contact");
  return contact;
}

export function slotOf({ slots }: EnrolmentJournal, use: EnrolledUse): Slot {
  const found = slots.find((slot) => slot.use === use);
  if (found === undefined) throw new Error(`an enrolment has no pair for ${use}`);
  return found;
}

export function withSlot(journal: EnrolmentJournal, changed: Slot): EnrolmentJournal {
  return { ...journal, slots: journal.slots.map((slot) => (slot.use === changed.use ? changed : slot)) };
}

export function withItem(
  journal: EnrolmentJournal,
  id: string,
  state: EnrolmentJournal["items"][string]["state"],
  rounds: number,
): EnrolmentJournal {
  return { ...journal, items: { ...journal.items, [id]: { state, rounds } } };
}

export function noted(journal: EnrolmentJournal, at: number, outcome: StepOutcome, detail: string): EnrolmentJournal {
  return withStep(journal, { step: contactOf(journal).step, at, outcome, detail });
}

export function isSame(one: CertificateName, other: CertificateName): boolean {
  return one.serial === other.serial && one.issuer === other.issuer;
}

export function nameOf({ serial, issuer }: CertificateName): CertificateName {
  return { serial, issuer };
}

/** Whether everything is on the meter that is to be there: its own pairs too, where an authority certifies them. */
export function isInPlace({ items, slots, anchor }: EnrolmentJournal, { issues }: Pick<Chain, "issues">): boolean {
  return (
    anchor === "verified" &&
    Object.values(items).every(({ state }) => state === "held") &&
    (!issues || slots.every(isFurnished))
  );
}

export function releasing(journal: EnrolmentJournal): Enrolled {
  return [inContact(journal, { stage: "releasing", step: "release" }), { kind: "release", step: "release" }];
}

export function conclude(journal: EnrolmentJournal, verdict: EnrolmentJournal["verdict"], why: string): Enrolled {
  const over = { ...journal, verdict };
  const [next, ...effects] = releasing(over);
  return [next, ended(over, why), ...effects];
}

export function ended({ verdict }: EnrolmentJournal, detail: string): EnrolmentEffect {
  return { kind: "note", what: "enrolment-ended", detail: `${verdict}: ${detail}` };
}

export function closed(journal: EnrolmentJournal, at: number): Enrolled {
  const next = { ...journal, contact: undefined };
  if (isOver(journal)) return [next, { kind: "close", step: "done", next: "done", milliseconds: 0 }];
  const wait = Math.max(0, journal.notBefore - at);
  return [next, { kind: "close", step: "release", next: wait === 0 ? "reconnect" : "wait", milliseconds: wait }];
}

/** Ends the contact; another one is made after a while. */
export function later(journal: EnrolmentJournal, at: number, { pace }: EnrolmentRules): Enrolled {
  const failures = journal.failures + 1;
  const milliseconds = Math.max(retryAfter(failures, pace), journal.proofs > 0 ? pace.anyKeysMilliseconds : 0);
  const name = contactOf(journal).step;
  return [
    { ...journal, failures, notBefore: at + milliseconds, contact: undefined },
    { kind: "close", step: name, next: "wait", milliseconds },
  ];
}
