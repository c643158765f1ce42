import { c, type Infer } from "@meterkeep/dlms";
import { handle, longText, meterTitle, oneOf, record, shortText, time, wholeNumber } from "./wire.ts";

/** SHA-384 of a manifest or change, lower-case hex: how it is called and what is signed. */
export const documentHash = c.ascii({ max: 96 });
/** A document as it is hashed: canonical JSON. */
const documentText = c.utf8({ max: 512 * 1024 });
const names = c.sequenceOf(shortText, { max: 64 });

/** The most documents of one page. */
export const MAX_PAGE_DOCUMENTS = 100;
/** The most targets of one page. */
export const MAX_PAGE_TARGETS = 1000;

/** What a person can say with a signature. */
export const DECISIONS = ["approve", "freeze", "enrol", "lost"] as const;
export type Decision = (typeof DECISIONS)[number];

/** How people sign. */
export const APPROVER_KEYS = ["passkey", "signature"] as const;

export const approverView = record({
  id: shortText,
  name: shortText,
  roles: names,
  key: oneOf(APPROVER_KEYS),
  /** Of a passkey: which one the browser is to ask for. Empty otherwise. */
  credentialId: c.bytes({ max: 1023 }),
  enrolledAt: time,
  /** Since when their approvals count for nothing: suspended, by who, until two people reinstate them. */
  suspended: c.optional(record({ since: time, by: shortText, reason: longText })),
});
export type ApproverView = Infer<typeof approverView>;

/** Why a custodian seals nothing critical (the first two), or nothing that takes off: as its refusals say it. */
export const TROUBLE_CODES = ["authority-spoilt", "clock-jumped", "clock-behind", "clock-doubted"] as const;

/** Who may approve, what is frozen, and how much of the caps is used. */
export const authorityState = record({
  approvers: c.sequenceOf(approverView, { max: 256 }),
  policyServices: c.sequenceOf(record({ name: shortText, enrolledAt: time }), { max: 16 }),
  /** Canonical JSON, as package guard has it. */
  thresholds: longText,
  /** Looser ones that were agreed to, and when they begin. */
  pending: c.optional(record({ thresholds: longText, from: time })),
  frozen: c.optional(record({ since: time, by: shortText, reason: longText })),
  breakGlass: c.optional(record({ since: time, until: time, reason: longText })),
  /** True until the first two have been enrolled: the operator enrols them. */
  founding: c.boolean,
  /** Where the custodian's own page is; empty where it has none. */
  page: shortText,
  /** What is not sealed, and why: whole sentences. */
  trouble: c.optional(record({ code: oneOf(TROUBLE_CODES), message: longText })),
  /** Commands that can switch off: how many count now, and how many may. */
  counts: record({ day: wholeNumber, dayCap: wholeNumber, tenMinutes: wholeNumber, tenMinutesCap: wholeNumber }),
  /** Security setups with sealed commands of which the meter has not shown what became. */
  unsettled: wholeNumber,
  /** When what was written last was written, and where a start found the clock: until two people believe that. */
  clockDoubt: c.optional(record({ written: time, found: time })),
});
export type AuthorityState = Infer<typeof authorityState>;

export const MANIFEST_STATES = ["planned", "approved", "expired"] as const;
const progress = record({
  open: wholeNumber,
  executed: wholeNumber,
  refused: wholeNumber,
  superseded: wholeNumber,
});

/** A manifest, and who has approved it. */
export const manifestState = record({
  hash: documentHash,
  /** Its first line. */
  header: documentText,
  /** The operation in words, its class and what it does to the supply. */
  words: longText,
  commandClass: shortText,
  direction: oneOf(["off", "on", "feed-off", "feed-on", "none"]),
  targets: wholeNumber,
  loadAtRiskW: wholeNumber,
  requester: shortText,
  state: oneOf(MANIFEST_STATES),
  approvedBy: names,
  /** How many people it needs. */
  people: wholeNumber,
  missing: c.optional(longText),
  submittedAt: time,
  progress,
});
export type ManifestStateView = Infer<typeof manifestState>;

export const submitManifestRequest = record({ upload: handle });
export const manifestRequest = record({ hash: documentHash });
export const manifestsResponse = record({ manifests: c.sequenceOf(manifestState, { max: MAX_PAGE_DOCUMENTS }) });
export const limitRequest = record({ limit: c.unsigned8 });
export const manifestTargetsRequest = record({ hash: documentHash, from: c.unsigned32, limit: c.unsigned16 });
export const manifestTarget = record({
  systemTitle: meterTitle,
  wave: c.unsigned8,
  delaySeconds: c.unsigned32,
  feeder: shortText,
  transformer: shortText,
  loadW: wholeNumber,
});
export const manifestTargetsResponse = record({ targets: c.sequenceOf(manifestTarget, { max: MAX_PAGE_TARGETS }) });

export const CHANGE_STATES = ["planned", "approved", "executed", "expired"] as const;

/** A change request, and who has approved it. */
export const changeState = record({
  hash: documentHash,
  /** The document that is hashed. */
  document: documentText,
  kind: shortText,
  /** What is to happen. */
  words: longText,
  requester: shortText,
  reason: longText,
  state: oneOf(CHANGE_STATES),
  approvedBy: names,
  people: wholeNumber,
  missing: c.optional(longText),
  submittedAt: time,
  expiresAt: time,
  executedAt: c.optional(time),
});
export type ChangeStateView = Infer<typeof changeState>;
export const changesResponse = record({ changes: c.sequenceOf(changeState, { max: MAX_PAGE_DOCUMENTS }) });

export const planChangeRequest = record({
  kind: shortText,
  /** JSON: the facts of the change. */
  body: documentText,
  requester: shortText,
  reason: longText,
});
export const planChangeResponse = record({ hash: documentHash });

export const statementRequest = record({
  decision: oneOf(DECISIONS),
  /** Empty where the decision is about no document. */
  hash: documentHash,
  approver: shortText,
});
/** The very text that is to be signed, with the custodian's time in it. */
export const statementResponse = record({ statement: longText });

/** A statement with its proof, canonical JSON. */
export const approveRequest = record({ approval: documentText });
export const approveResponse = record({ missing: c.optional(longText), executed: c.boolean });

/** Takes the right to approve from somebody for the time being; it only ever makes less possible. */
export const suspendApproverRequest = record({ approver: shortText, reason: longText });

export const freezeRequest = record({ reason: longText });

export const inviteApproverRequest = record({
  id: shortText,
  name: shortText,
  roles: names,
  /** The id of a key of this person that is lost: the new one comes in its place, once two others have agreed. */
  replaces: c.optional(shortText),
});
/** Good once, for a quarter of an hour, on the custodian's own page. */
export const inviteApproverResponse = record({ link: longText });

/** Enrols a user key: the statement `enrol`, signed by that key, proves that somebody has it. */
export const enrolApproverRequest = record({
  id: shortText,
  name: shortText,
  roles: names,
  publicKey: c.bytes({ max: 256 }),
  approval: documentText,
  /** As in an invitation. */
  replaces: c.optional(shortText),
});
/** Enrolled at once, while the first two are; else planned as a change that others approve. */
export const enrolApproverResponse = record({ enrolled: c.boolean, change: c.optional(documentHash) });
export type Enrolled = Infer<typeof enrolApproverResponse>;
