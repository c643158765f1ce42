/** Every code a `LedgerError` can carry, in the order of docs/errors.md. */
export const LEDGER_ERROR_CODES = [
  "ledger-entry-invalid",
  "ledger-foreign-entries",
  "ledger-altered",
  "ledger-unbound",
  "ledger-under-rules",
  "ledger-forked",
  "ledger-closed",
  "ledger-restored",
  "ledger-rewritten",
  "ledger-witness-away",
  "ledger-witness-missing",
  "ledger-witness-refused",
  "ledger-checkpoint-invalid",
  "ledger-checkpoint-late",
  "ledger-export-malformed",
  "ledger-change-refused",
] as const;

/** A stable name for what went wrong; docs/errors.md says what to do about each. */
export type LedgerErrorCode = (typeof LEDGER_ERROR_CODES)[number];

/** The one error class of the package. */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;

  constructor(code: LedgerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "LedgerError";
    this.code = code;
  }
}
