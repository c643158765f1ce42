/** Every code a `PkiError` can carry, in the order of docs/errors.md. */
export const PKI_ERROR_CODES = ["der-value-invalid", "certificate-request-invalid"] as const;

/** A stable name for what went wrong; docs/errors.md says what to do about each. */
export type PkiErrorCode = (typeof PKI_ERROR_CODES)[number];

/** The one error class of the package. */
export class PkiError extends Error {
  readonly code: PkiErrorCode;

  constructor(code: PkiErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "PkiError";
    this.code = code;
  }
}
