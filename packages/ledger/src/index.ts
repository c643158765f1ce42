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
export { append, type CompletedNode, EMPTY_FRONTIER, type Frontier, rootOf } from "./tree/frontier.ts";
export { EMPTY_ROOT, leafHash, nodeHash } from "./tree/node-hash.ts";
export { consistencyProof, inclusionProof, type ReadNode } from "./tree/proofs.ts";
export { includes, isGrownFrom, type TreeHead } from "./tree/verify-proofs.ts";
export { type ChainFault, type ChainReport, verifyChain } from "./verify.ts";
