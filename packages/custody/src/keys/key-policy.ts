import { type KeyPolicyChange, MAX_CRYPTO_PERIOD_DAYS } from "@meterkeep/api/custodian";
import { CallRefusal } from "../calls/call-refusal.ts";

/** When keys are changed by themselves, and how fast. */
export interface KeyPolicy {
  readonly cryptoPeriodDays: number;
  /** Invocation counters used of a security setup. */
  readonly countLimit: number;
  /** Rotations that may begin in an hour. */
  readonly perHour: number;
  readonly retainDays: number;
}

/** Two years; half of all counters; 25 million meters in two years at 1 500 an hour; 400 days. */
export const DEFAULT_KEY_POLICY: KeyPolicy = {
  cryptoPeriodDays: 730,
  countLimit: 2 ** 31,
  perHour: 1500,
  retainDays: 400,
};

const LEAST_COUNT = 1000;

/** The policy after a change. @throws CallRefusal `key-policy-refused` */
export function changedPolicy(policy: KeyPolicy, change: KeyPolicyChange): KeyPolicy {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const changed: KeyPolicy = { ...policy, ...given };
  const { cryptoPeriodDays, countLimit, perHour, retainDays } = changed;
  if (cryptoPeriodDays < 1 || cryptoPeriodDays > MAX_CRYPTO_PERIOD_DAYS)
    throw new CallRefusal("key-policy-refused", `a crypto-period has 1 to ${MAX_CRYPTO_PERIOD_DAYS} days (five years)`);
  if (countLimit < LEAST_COUNT)
    throw new CallRefusal("key-policy-refused", `a limit of counters below ${LEAST_COUNT} rotates without end`);
  if (perHour < 1 || retainDays < 1)
    throw new CallRefusal("key-policy-refused", "rotations an hour and days of keeping are at least 1");
  return changed;
}
