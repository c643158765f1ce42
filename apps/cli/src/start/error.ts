/** Every code of {@link StartError}; docs/errors.md explains each one. */
export const START_ERROR_CODES = [
  "port-in-use",
  "address-not-here",
  "process-failed",
  "user-ids-taken",
  "state-foreign",
  "state-incomplete",
  "state-vanished",
  "database-missing",
  "database-foreign",
  "trunk-credential-refused",
] as const;
export type StartErrorCode = (typeof START_ERROR_CODES)[number];

/** Meterkeep could not start. The message says what, where and what to do. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly code: StartErrorCode;

  constructor(code: StartErrorCode, message: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.code = code;
  }
}
