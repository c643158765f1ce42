import { LedgerError } from "@meterkeep/ledger";

/** Reasons of the ledger for which nothing is written and no key used. */
const HALTS: ReadonlySet<string> = new Set([
  "ledger-restored",
  "ledger-rewritten",
  "ledger-witness-away",
  "ledger-witness-missing",
  "ledger-checkpoint-invalid",
]);

/** Whether that is why the custodian does nothing now. */
export function isHalt(error: unknown): error is LedgerError {
  return error instanceof LedgerError && HALTS.has(error.code);
}
