export { auditStored, type StoredAudit } from "./audit.ts";
export {
  checkDraft,
  entryLeaf,
  entryLine,
  HASH_BYTES,
  type LedgerDraft,
  type LedgerEntry,
  type UnhashedEntry,
} from "./entry.ts";
export { LEDGER_ERROR_CODES, LedgerError, type LedgerErrorCode } from "./errors.ts";
export { EMPTY_EDGE, type Growth, growthOf, type LedgerEdge } from "./growth.ts";
export { Ledger } from "./ledger.ts";
export { memoryLedgerStore } from "./memory-store.ts";
export { LEDGER_GRANTS, LEDGER_MIGRATIONS, postgresLedgerStore, type SqlClient } from "./postgres-store.ts";
export { allEntries, completeNodes, edgeOf, type LedgerReads, type LedgerStore } from "./store.ts";
export { append, type CompletedNode, EMPTY_FRONTIER, type Frontier, rootOf } from "./tree/frontier.ts";
export { EMPTY_ROOT, leafHash, nodeHash } from "./tree/node-hash.ts";
export { consistencyProof, inclusionProof, type ReadNode } from "./tree/proofs.ts";
export { frontierAt, readerOf, type StoredNodes } from "./tree/stored-nodes.ts";
export { includes, isGrownFrom, type TreeHead } from "./tree/verify-proofs.ts";
