import { c, type Infer } from "@meterkeep/dlms";
import { apdu, handle, longText, meterTitle, milliseconds, oneOf, record, shortText, time, union } from "./wire.ts";

/** The steps of a takeover, in their order; `probe` and `counter-hint` happen when something was lost. */
export const TAKEOVER_STEPS = [
  "factory-association",
  "identity-check",
  "transfer-working-keys",
  "working-keys-association",
  "transfer-master",
  "prove-master",
  "refuse-old-master",
  "refuse-factory-keys",
  "done",
  "probe",
  "counter-hint",
  "release",
  // Of rotations: what the factory's keys are to a takeover, the keys that go are to them.
  "current-keys-association",
  "refuse-old-keys",
  // After the keys: what the meter asks for by itself, and what clients without keys open it with.
  "raise-policy",
  "find-clients",
  "change-secret",
  "prove-secret",
  "refuse-old-secret",
  "change-child-key",
  "agree-master",
  // Of enrolments (`ENROLMENT_STEPS`).
  "enrolment-association",
  "anchor-check",
  "certificate-list",
  "generate-key-pair",
  "certificate-request",
  "import-certificate",
  "compare-certificate",
  "remove-certificate",
  "prove-signature",
  "signed-request",
  // Of leases that are over.
  "local-session-log",
] as const;
export type TakeoverStep = (typeof TAKEOVER_STEPS)[number];

/** Where a takeover stands. `left`: the meter is retired, or another owner has it; nothing is wanted of it here. */
export const TAKEOVER_PHASES = ["not-started", "in-progress", "probing", "done", "not-applicable", "left"] as const;
export type TakeoverPhase = (typeof TAKEOVER_PHASES)[number];

/** Who could have listened to the new keys: who recorded it (`exposed`), nobody (`shielded`), or nobody who could do anything with it, since the master was agreed on (`agreed`). */
export const TAKEOVER_GRADES = ["none", "exposed", "shielded", "agreed"] as const;
export type TakeoverGrade = (typeof TAKEOVER_GRADES)[number];

/** What has been proven. `unknown`: it is not known which keys the meter holds; the probing goes on. */
export const TAKEOVER_VERDICTS = [
  "pending",
  "proven",
  "keeps-factory-keys",
  "keeps-master-key",
  "identity-differs",
  "refuses-key-change",
  "unknown",
] as const;
export type TakeoverVerdict = (typeof TAKEOVER_VERDICTS)[number];

/** What happened at a step; `unproven`: there is nothing that could show it. */
export const STEP_OUTCOMES = ["passed", "refused", "failed", "lost", "unproven"] as const;
export type StepOutcome = (typeof STEP_OUTCOMES)[number];

/** One line of a takeover's history. */
export const takeoverStepDone = record({
  step: oneOf(TAKEOVER_STEPS),
  at: time,
  outcome: oneOf(STEP_OUTCOMES),
  detail: longText,
});
export type TakeoverStepDone = Infer<typeof takeoverStepDone>;

/** Where the takeover of a meter stands, for the page and for the trust rules. */
export const takeoverState = record({
  meter: meterTitle,
  phase: oneOf(TAKEOVER_PHASES),
  /** What comes next, or came last when done. */
  step: oneOf(TAKEOVER_STEPS),
  grade: oneOf(TAKEOVER_GRADES),
  verdict: oneOf(TAKEOVER_VERDICTS),
  provenAt: c.optional(time),
  steps: c.sequenceOf(takeoverStepDone, { max: 64 }),
  /** Who could have held the factory keys: the taint set. */
  holders: c.sequenceOf(shortText, { max: 16 }),
  /** The state in one sentence. */
  sentence: longText,
});
export type TakeoverState = Infer<typeof takeoverState>;

export const nextContactRequest = record({ meter: meterTitle });
export const nextContactResponse = union({
  nothing: record({ state: takeoverState }),
  wait: record({ milliseconds, state: takeoverState }),
  connect: record({
    contact: handle,
    clientSap: c.unsigned16,
    serverSap: c.unsigned16,
    step: oneOf(TAKEOVER_STEPS),
    apdu,
  }),
});
export type NextContact = Infer<typeof nextContactResponse>;

/**
 * Why the line was lost. `unreachable`: no connection was made, so the meter has heard nothing; anything else may
 * have reached it.
 */
export const LOST_REASONS = ["unreachable", "closed", "timed-out", "abandoned"] as const;
export type LostReason = (typeof LOST_REASONS)[number];

export const contactEvent = union({
  received: record({ apdu }),
  lost: record({ reason: oneOf(LOST_REASONS) }),
});
export type ContactEvent = Infer<typeof contactEvent>;

export const advanceContactRequest = record({ contact: handle, event: contactEvent });
export const advanceContactResponse = union({
  send: record({ step: oneOf(TAKEOVER_STEPS), apdu }),
  close: record({
    /** `reconnect`: call `nextContact` at once; `wait`: after `milliseconds`; `done`: nothing is left to do. */
    next: oneOf(["reconnect", "wait", "done"]),
    milliseconds,
    state: takeoverState,
    step: oneOf(TAKEOVER_STEPS),
  }),
});
export type ContactAdvance = Infer<typeof advanceContactResponse>;

/** The most states of one page. */
export const MAX_PAGE_STATES = 200;

export const takeoverStatesRequest = record({
  /** Empty: all meters, in the order of their system titles. */
  meters: c.sequenceOf(meterTitle, { max: MAX_PAGE_STATES }),
  /** The last system title of the former page. */
  after: c.optional(meterTitle),
});
export const takeoverStatesResponse = record({ states: c.sequenceOf(takeoverState, { max: MAX_PAGE_STATES }) });
