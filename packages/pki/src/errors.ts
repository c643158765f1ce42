/** Every code a `PkiError` can carry; docs/errors.md says what to do about each. */
export const PKI_ERROR_CODES = [
  "certificate-inconsistent",
  "profile-violated",
  "issuer-unfit",
  "request-refused",
  "crl-refused",
  "ocsp-refused",
  "assignment-refused",
  "serial-taken",
  "certificate-unknown",
  "requester-limited",
  "authority-unknown",
  "authority-offline",
  "authority-held",
  "assignment-violated",
  "revocation-refused",
  "enrolment-refused",
] as const;
export type PkiErrorCode = (typeof PKI_ERROR_CODES)[number];

/** What could not be issued or believed, and why. Malformed octets are a `DecodeError` of `@meterkeep/dlms` instead. */
export class PkiError extends Error {
  readonly code: PkiErrorCode;

  constructor(code: PkiErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "PkiError";
    this.code = code;
  }
}
