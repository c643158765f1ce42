import type { SessionSummary } from "@meterkeep/api";

export const PURPOSE_WORDS = {
  takeover: "Takeover",
  read: "Reading",
  push: "Push",
  verify: "Verification",
  rotate: "Rotation of keys",
  enrol: "Enrolment with certificates",
  operate: "Operation",
} as const satisfies Record<SessionSummary["purpose"], string>;
