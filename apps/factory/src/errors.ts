/** Codes of `FactoryError`. */
export const FACTORY_ERROR_CODES = [
  "factory-recipient-malformed",
  "factory-signing-key-mismatch",
  "factory-master-damaged",
  "factory-sequence-damaged",
  "factory-sequence-exhausted",
  "factory-profiles-unknown",
  "factory-source-refused",
] as const;

/** Code of a `FactoryError`. */
export type FactoryErrorCode = (typeof FACTORY_ERROR_CODES)[number];

/** What the factory throws. The message says what, where and what to do. */
export class FactoryError extends Error {
  readonly code: FactoryErrorCode;

  constructor(code: FactoryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FactoryError";
    this.code = code;
  }
}
