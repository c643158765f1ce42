/** Codes of `MeterError`. */
export const METER_ERROR_CODES = [
  "meter-profile-unknown",
  "meter-production-malformed",
  "meter-nvm-damaged",
  "meter-nvm-locked",
  "meter-nvm-schema-unknown",
  "meter-counter-exhausted",
  "meter-model-invalid",
  "meter-mischief-unknown",
] as const;

/** Code of a `MeterError`. */
export type MeterErrorCode = (typeof METER_ERROR_CODES)[number];

/** What this package throws. The message says what, where and what to do. */
export class MeterError extends Error {
  readonly code: MeterErrorCode;

  constructor(code: MeterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MeterError";
    this.code = code;
  }
}
