import type { EnrolmentPolicyChange } from "@meterkeep/api/custodian";

/** From this risk on a meter's turn comes although no others begin: what strangers may have, or was revoked, does not wait. */
export const URGENT_RISK = 1000;

/** When key pairs are renewed, and how many enrolments may begin; none a day stops all that is not urgent. */
export interface EnrolmentPolicy {
  readonly renewAfterDays: number;
  readonly renewBeforeDays: number;
  readonly perDay: number;
}

/**
 * Ten years, half of what a meter lives, since its certificates have no end; two years before the end of those that have
 * one; and so many a day that a million meters take three weeks.
 */
export const DEFAULT_ENROLMENT_POLICY: EnrolmentPolicy = {
  renewAfterDays: 3650,
  renewBeforeDays: 730,
  perDay: 50_000,
};

/** A policy with some of its numbers changed. */
export function changedEnrolmentPolicy(policy: EnrolmentPolicy, change: EnrolmentPolicyChange): EnrolmentPolicy {
  // A renewal after no days at all would never end.
  const given = Object.fromEntries(
    Object.entries(change).filter(
      ([name, value]) => value !== undefined && (Number(value) > 0 || (name === "perDay" && Number(value) === 0)),
    ),
  );
  return { ...policy, ...given };
}
