/** Every code a `CustodyError` can carry, in the order of docs/errors.md. */
export const CUSTODY_ERROR_CODES = [
  "root-key-permissions",
  "root-key-malformed",
  "root-key-missing",
  "root-key-wrong",
  "vault-root-lost",
  "vault-rewrap-refused",
  "vault-record-not-authentic",
  "vault-key-unknown",
  "vault-unavailable",
  "token-unfit",
  "tokens-file-malformed",
  "record-not-authentic",
  "record-put-back",
  "custody-write-conflict",
  "custody-already-running",
  "custody-closed",
  "custody-close-late",
  "counter-line-exhausted",
  "custodian-config-invalid",
  "escrow-failed",
  "custody-fenced",
  "recovery-key-malformed",
  "backup-not-authentic",
  "restore-refused",
] as const;

/** A stable name for what went wrong; docs/errors.md says what to do about each. */
export type CustodyErrorCode = (typeof CUSTODY_ERROR_CODES)[number];

/** The one error class of the package. Messages never carry key material. */
export class CustodyError extends Error {
  readonly code: CustodyErrorCode;

  constructor(code: CustodyErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "CustodyError";
    this.code = code;
  }
}
