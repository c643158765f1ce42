import type { EnrolmentPolicyChange } from "@meterkeep/api/custodian";

/** When key pairs are renewed, and how many enrolments may begin. */
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
  const given = Object.fromEntries(
    Object.entries(change).filter(([, value]) => value !== undefined && Number(value) > 0),
  );
  return { ...policy, ...given };
}
