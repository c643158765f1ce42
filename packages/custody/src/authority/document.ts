import {
  approverId,
  DEFAULT_THRESHOLDS,
  exactly,
  type FieldValue,
  hexOctets,
  instant,
  kinds,
  listOf,
  matching,
  type OwnTime,
  object,
  optional,
  principalName,
  text,
  thresholds,
  whole,
} from "@meterkeep/guard";

const role = matching(/^[a-z][a-z-]{0,31}$/, "a role: lower-case letters and dashes");
/** SubjectPublicKeyInfo, EC on P-256 or P-384. */
const publicKey = hexOctets(80, 200);

/** How a person signs. */
export const approverKey = kinds({
  passkey: { credentialId: hexOctets(1, 1023), publicKey, signCount: whole(0, 0xffff_ffff) },
  /** In a PKCS#11 token, or a file. */
  signature: { publicKey },
});
export type ApproverKey = FieldValue<typeof approverKey>;

/** The longest reason of a suspension, a freeze or a broken glass. */
export const MOST_REASON_CHARACTERS = 512;
const reason = text(MOST_REASON_CHARACTERS);

/** Somebody who may approve. */
export const approver = object({
  id: approverId,
  /** The person; two keys of one person count once. */
  name: principalName,
  roles: listOf(role, 8),
  key: approverKey,
  enrolledAt: instant,
  /** They have left, or are thought to have lost their key: nothing of theirs counts until two people reinstate them. */
  suspended: optional(object({ since: instant, by: principalName, reason })),
});
export type Approver = FieldValue<typeof approver>;

const policyService = object({ name: principalName, publicKey, enrolledAt: instant });
const frozen = object({ since: instant, by: principalName, reason });
const breakGlass = object({ since: instant, until: instant, reason, change: hexOctets(48, 48) });
const clockDoubt = object({ written: instant, found: instant });
const stopped = object({ milliseconds: whole(0, Number.MAX_SAFE_INTEGER), at: instant });
const pending = object({ thresholds, from: instant });

/** Everything that decides what may be sealed, in one document: it is written, protected and put back as a whole or not at all. */
export const authorityDocument = object({
  format: exactly("meterkeep-authority-1"),
  approvers: listOf(approver, 256, 0),
  /** Ids of those who may no more; never given again. */
  removed: listOf(approverId, 4096, 0),
  policyServices: listOf(policyService, 16, 0),
  thresholds,
  /** Looser ones that have been agreed to, and when they begin. */
  pending: optional(pending),
  frozen: optional(frozen),
  breakGlass: optional(breakGlass),
  /** The clock was found so far ahead of what was written last that only people know whether time has passed. */
  clockDoubt: optional(clockDoubt),
  /** For how long nobody ran, over starts, as far as lived time has not paid for it. */
  stopped: optional(stopped),
});
export type AuthorityDocument = FieldValue<typeof authorityDocument>;

/** The first of all: nobody may approve anything. */
export const NO_AUTHORITY: AuthorityDocument = {
  format: "meterkeep-authority-1",
  approvers: [],
  removed: [],
  policyServices: [],
  thresholds: DEFAULT_THRESHOLDS,
  pending: undefined,
  frozen: undefined,
  breakGlass: undefined,
  clockDoubt: undefined,
  stopped: undefined,
};

/** Until so many have been enrolled, ever, the operator enrols them; afterwards only two people do. */
export const FOUNDERS = 2;

/** Whether the operator may still enrol by himself. */
export function isFounding({ approvers, removed }: AuthorityDocument): boolean {
  return approvers.length + removed.length < FOUNDERS;
}

/** The approver of that id whose approvals count. */
export function approverOf({ approvers }: AuthorityDocument, id: string): Approver | undefined {
  return approvers.find((one) => one.id === id && one.suspended === undefined);
}

/** The thresholds at a moment: looser ones that were agreed to begin by themselves. */
export function thresholdsAt({ thresholds: present, pending: next }: AuthorityDocument, now: number) {
  return next !== undefined && next.from <= now ? next.thresholds : present;
}

/** Whether the caps are lifted at a moment. */
export function capsLifted(document: AuthorityDocument, now: number): boolean {
  return document.breakGlass !== undefined && now < document.breakGlass.until;
}

/** Why nothing is taken off by this clock, which giving back does not wait for; undefined where it is believed. */
export function clockDoubtOf(
  { clockDoubt }: Pick<AuthorityDocument, "clockDoubt">,
  { behind }: Pick<OwnTime, "behind">,
): { readonly code: "clock-behind" | "clock-doubted"; readonly message: string } | undefined {
  if (behind !== undefined)
    return {
      code: "clock-behind",
      message: `the wall clock is ${behind} ms behind what was written before the start: set it right`,
    };
  if (clockDoubt === undefined) return undefined;
  const [written, found] = [clockDoubt.written, clockDoubt.found].map((at) => new Date(at).toISOString());
  return {
    code: "clock-doubted",
    message: `a start found the wall clock at ${found}, and nobody is known to have run since ${written}, stops before it included: set it right and start anew, or have two people approve \`npx meterkeep clock trust\``,
  };
}
