export {
  chain,
  checkDraft,
  EMPTY_LEDGER,
  entryHash,
  HASH_BYTES,
  type LedgerDraft,
  type LedgerEntry,
  type LedgerHead,
} from "./entry.ts";
export { LEDGER_ERROR_CODES, LedgerError, type LedgerErrorCode } from "./errors.ts";
export { Ledger } from "./ledger.ts";
export { memoryLedgerStore } from "./memory-store.ts";
export { LEDGER_GRANTS, LEDGER_MIGRATIONS, postgresLedgerStore, type SqlClient } from "./postgres-store.ts";
export { allEntries, type LedgerStore } from "./store.ts";
export { type ChainFault, type ChainReport, verifyChain } from "./verify.ts";
