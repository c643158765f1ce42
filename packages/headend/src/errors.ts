/** Every code a `HeadEndError` can carry, in the order of docs/errors.md. */
export const HEADEND_ERROR_CODES = [
  "meter-unknown",
  "group-unknown",
  "meter-exists",
  "meter-profile-unknown",
  "meter-address-unknown",
  "meter-refused",
  "meter-answer-unusable",
  "meter-not-authentic",
  "seal-refused",
  "lease-lost",
  "grid-invalid",
  "addresses-invalid",
  "route-invalid",
  "sim-budget-invalid",
  "shipment-refused",
  "shipment-awaits-approval",
  "sealed-keys-refused",
  "sign-in-refused",
  "person-unknown",
  "person-exists",
  "person-last",
  "roles-apart",
  "push-refused",
  "gateway-address-invalid",
  "gateway-address-refused",
  "drill-not-simulated",
  "selection-empty",
  "campaign-unknown",
  "campaign-not-so",
  "dispute-unknown",
  "dispute-changed",
  "quarantine-unknown",
  "quarantine-not-releasable",
  "same-person",
  "head-end-closed",
  "packed-day-invalid",
  "operation-invalid",
  "firmware-refused",
  "operation-not-offered",
  "nats-unreachable",
  "gate-refused",
] as const;

/** A stable name for what went wrong; docs/errors.md says what to do about each. */
export type HeadEndErrorCode = (typeof HEADEND_ERROR_CODES)[number];

/** The one error class of the package. The message says what, where and, where that helps, what to do. */
export class HeadEndError extends Error {
  readonly code: HeadEndErrorCode;

  constructor(code: HeadEndErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "HeadEndError";
    this.code = code;
  }
}

/** The code of any error of ours, or `unexpected`: for sessions and logs, which keep codes and not stacks. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "unexpected";
}
