import { c, type Infer } from "@meterkeep/dlms";
import { STEP_OUTCOMES } from "./takeover.ts";
import { longText, meterTitle, oneOf, record, shortText, time, wholeNumber } from "./wire.ts";

/** Why a meter is enrolled: for the first time, since its certificates grow old, because authorities have changed, or to lose what was revoked. */
export const ENROLMENT_CAUSES = ["first", "renewal", "authorities", "demand", "compromise", "revocation"] as const;
export type EnrolmentCause = (typeof ENROLMENT_CAUSES)[number];

/** The steps of an enrolment, in their order. They are steps of contacts: `TAKEOVER_STEPS` has them too. */
export const ENROLMENT_STEPS = [
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
  "release",
  "done",
] as const;
export type EnrolmentStep = (typeof ENROLMENT_STEPS)[number];

/** What an enrolment came to. */
export const ENROLMENT_VERDICTS = [
  "pending",
  /** Certificates are on it octet for octet, nothing foreign is, and it has proven both private keys. */
  "enrolled",
  /** The same, but it will not give up certificates that are not ours. */
  "keeps-foreign",
  /** What was revoked is not on it, and no authority issues for it now. */
  "freed",
  "anchor-missing",
  "anchor-differs",
  "keeps-no-certificate",
  "request-unfit",
  "refuses",
  "not-certified",
  "identity-unproven",
] as const;
export type EnrolmentVerdict = (typeof ENROLMENT_VERDICTS)[number];

/**
 * What is known of the trust anchor that a meter was made with. `ordered`: its signed shipment says that it is ours;
 * `verified`: it exported it; `compromised`: its key is no longer ours alone, which takes new firmware or a visit.
 */
export const ANCHOR_STATES = ["unknown", "ordered", "verified", "missing", "other", "compromised"] as const;
export type AnchorState = (typeof ANCHOR_STATES)[number];

/** Where it stands. `not-applicable`: of suite 0, or of a profile without certificates. */
export const ENROLMENT_PHASES = ["not-applicable", "waiting", "planned", "under-way", "enrolled", "failed"] as const;
export type EnrolmentPhase = (typeof ENROLMENT_PHASES)[number];

export const enrolmentStepDone = record({
  step: oneOf(ENROLMENT_STEPS),
  at: time,
  outcome: oneOf(STEP_OUTCOMES),
  detail: longText,
});
export type EnrolmentStepDone = Infer<typeof enrolmentStepDone>;

/** What a certificate of a meter is for. */
export const METER_CERTIFICATE_USES = ["digitalSignature", "keyAgreement", "tls"] as const;

/** A certificate of a meter's own. `former`: it may still be used, until the newer one is proven. No association proves a key of TLS: its certificate is `on-meter`. */
export const meterCertificate = record({
  use: oneOf(METER_CERTIFICATE_USES),
  subject: shortText,
  /** Lower-case hex. */
  serial: shortText,
  issuedBy: shortText,
  notBefore: time,
  /** 253402300799000 (9999-12-31T23:59:59Z) has no end. */
  notAfter: time,
  state: oneOf(["issued", "on-meter", "proven", "former"]),
});
export type MeterCertificate = Infer<typeof meterCertificate>;

export const enrolmentState = record({
  meter: meterTitle,
  suite: c.unsigned8,
  phase: oneOf(ENROLMENT_PHASES),
  cause: c.optional(oneOf(ENROLMENT_CAUSES)),
  verdict: oneOf(ENROLMENT_VERDICTS),
  anchor: oneOf(ANCHOR_STATES),
  /** Whether it proves itself by signature in sessions. */
  signs: c.boolean,
  plannedAt: c.optional(time),
  provenAt: c.optional(time),
  certificates: c.sequenceOf(meterCertificate, { max: 32 }),
  steps: c.sequenceOf(enrolmentStepDone, { max: 64 }),
  /** The state in one sentence. */
  sentence: longText,
});
export type EnrolmentState = Infer<typeof enrolmentState>;

/** The most states of one page. */
export const MAX_PAGE_ENROLMENTS = 200;

export const enrolmentStatesRequest = record({
  /** Empty: all meters, in the order of their system titles. */
  meters: c.sequenceOf(meterTitle, { max: MAX_PAGE_ENROLMENTS }),
  /** The last system title of the former page. */
  after: c.optional(meterTitle),
});
export const enrolmentStatesResponse = record({
  states: c.sequenceOf(enrolmentState, { max: MAX_PAGE_ENROLMENTS }),
});

export const planEnrolmentsRequest = record({
  /** Empty: every meter that can be enrolled. */
  meters: c.sequenceOf(meterTitle, { max: 1000 }),
  cause: oneOf(ENROLMENT_CAUSES),
  /** Why, for the ledger. */
  reason: shortText,
});
export type PlanEnrolments = Infer<typeof planEnrolmentsRequest>;
/** Meters that are not planned for have an enrolment open, are not taken over, or can have no certificates. */
export const planEnrolmentsResponse = record({ planned: wholeNumber });

const enrolmentPolicy = {
  /** Days after which key pairs are renewed although their certificates have no end. */
  renewAfterDays: c.unsigned16,
  /** Days before the end of a certificate at which it is renewed. */
  renewBeforeDays: c.unsigned16,
  /** Enrolments that may begin in a day; 0 stops all but those that a revocation or a compromise asks for. */
  perDay: c.unsigned32,
};

/** How enrolment is in the whole. */
export const enrolmentReport = record({
  /** Meters of suite 1 and 2. */
  capable: wholeNumber,
  planned: wholeNumber,
  underWay: wholeNumber,
  enrolled: wholeNumber,
  failed: wholeNumber,
  policy: record(enrolmentPolicy),
});
export type EnrolmentReport = Infer<typeof enrolmentReport>;

export const setEnrolmentPolicyRequest = record({
  renewAfterDays: c.optional(enrolmentPolicy.renewAfterDays),
  renewBeforeDays: c.optional(enrolmentPolicy.renewBeforeDays),
  perDay: c.optional(enrolmentPolicy.perDay),
});
export type EnrolmentPolicyChange = Infer<typeof setEnrolmentPolicyRequest>;
