export { auditStored, type StoredAudit } from "./audit.ts";
export {
  isSignedBy,
  KEYS_ANNOUNCED,
  keyId,
  keysFromJson,
  keysJson,
  keysOfEntry,
  type LedgerKeys,
  logName,
} from "./checkpoint/keys.ts";
export {
  type Checkpoint,
  checkpointText,
  type Note,
  type NoteSignature,
  noteOf,
  parseLine,
  parseNote,
} from "./checkpoint/note.ts";
export {
  generateSignerSecret,
  type LedgerSigner,
  privateKeyOf,
  type SignerSecret,
  signedCheckpoint,
  softwareSigner,
  spkiOf,
} from "./checkpoint/signer.ts";
export {
  type CheckpointStore,
  memoryCheckpointStore,
  postgresCheckpointStore,
  type StoredCheckpoint,
} from "./checkpoint/store.ts";
export {
  checkDraft,
  entryLeaf,
  entryLine,
  entryOf,
  HASH_BYTES,
  type LedgerDraft,
  type LedgerEntry,
  leafOfLine,
  type UnhashedEntry,
} from "./entry.ts";
export { LEDGER_ERROR_CODES, LedgerError, type LedgerErrorCode } from "./errors.ts";
export { EXPORT_FORMAT, type ExportSource, exportLines } from "./export/export.ts";
export { GrowingTree } from "./export/growing-tree.ts";
export type { Resumption } from "./export/signatures.ts";
export { type ExportFault, type Verification, type VerifyOptions, verifyExport } from "./export/verify.ts";
export {
  type BoundLeaf,
  countingOnly,
  type EntryFault,
  type Finding,
  ForeignEntries,
  type LeafJudge,
} from "./foreign-entries.ts";
export { EMPTY_EDGE, type Growth, type GrowthMacs, growthBy, growthOf, type LedgerEdge } from "./growth.ts";
export {
  APPROVALS_NEEDED,
  type ApprovedChange,
  type Approver,
  approveChange,
  type LedgerChange,
  readChange,
} from "./keeper/change.ts";
export { type AnnouncedKeys, historyOf, type KnownLedger, type LedgerHistory, RESUMED } from "./keeper/history.ts";
export {
  DEFAULT_KEEPER_SETTINGS,
  type KeeperPorts,
  type KeeperSettings,
  type KeeperState,
  type NamedWitnesses,
} from "./keeper/keeper-ports.ts";
export { LedgerKeeper } from "./keeper/ledger-keeper.ts";
export type { WitnessState } from "./keeper/witness-desk.ts";
export { Ledger } from "./ledger.ts";
export { memoryLedgerStore } from "./memory-store.ts";
export {
  countingEntries,
  LEDGER_GRANTS,
  LEDGER_MIGRATIONS,
  postgresLedgerStore,
  type SqlClient,
} from "./postgres-store.ts";
export { type EntryRange, Ranges, rangesOf } from "./ranges.ts";
export {
  allEntries,
  type BoundEnd,
  countingReads,
  edgeOf,
  grownFrom,
  type LedgerReads,
  type LedgerStore,
  newestEntry,
} from "./store.ts";
export {
  ENTRY_COLUMNS,
  ENTRY_JSON,
  type EntryJson,
  type EntryRow,
  entryAsStored,
  type StoredEntry,
  storedEntryOfJson,
} from "./stored-entry.ts";
export { type DerivedNodes, derivedNodes, judgedLeaves, type LeafSource } from "./tree/derived-nodes.ts";
export { append, type CompletedNode, EMPTY_FRONTIER, type Frontier, rootOf } from "./tree/frontier.ts";
export { EMPTY_ROOT, leafHash, nodeHash } from "./tree/node-hash.ts";
export { consistencyProof, inclusionProof, type ReadNode } from "./tree/proofs.ts";
export { frontierAt, readerBehind, readerOf, rootAt, type StoredNodes } from "./tree/stored-nodes.ts";
export { includes, isGrownFrom, type TreeHead } from "./tree/verify-proofs.ts";
export { fileWitness } from "./witness/file-witness.ts";
export { type InstanceOptions, instanceWitness } from "./witness/instance-witness.ts";
export { LedgerWitness, type WitnessedLedger, type WitnessMemory } from "./witness/ledger-witness.ts";
export { listenAsWitness, type WitnessAddress } from "./witness/server.ts";
export type { KeyChange, Taken, Witness } from "./witness/witness.ts";
export { folderSigner, folderWitnessMemory } from "./witness/witness-folder.ts";
