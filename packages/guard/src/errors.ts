/** Every code a `GuardError` can carry, in the order of docs/errors.md. */
export const GUARD_ERROR_CODES = ["document-malformed", "manifest-refused"] as const;

/** A stable name for what went wrong; docs/errors.md says what to do about each. */
export type GuardErrorCode = (typeof GUARD_ERROR_CODES)[number];

/** The one error class of the package. */
export class GuardError extends Error {
  readonly code: GuardErrorCode;

  constructor(code: GuardErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "GuardError";
    this.code = code;
  }
}
