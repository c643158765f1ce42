export { lossHash } from "./authority/lost-key.ts";
export {
  type BackupFacts,
  type BackupManifest,
  requireSealedFile,
  type VerifiedManifest,
  verifyManifest,
} from "./backup/manifest.ts";
export { type MeterLine, proveMeter } from "./backup/prove-meter.ts";
export {
  generateRecoveryKey,
  type RecoveryPrivateKey,
  type RecoveryRecipient,
  recoveryPrivateKey,
  recoveryRecipient,
} from "./backup/recovery-key.ts";
export { type Restored, type RestoreOptions, restoreDatabase } from "./backup/restore-database.ts";
export { type DrillFinding, type DrillOptions, drillRestore, type ScratchDatabase } from "./backup/restore-drill.ts";
export { openBackup } from "./backup/sealed-backup.ts";
export { type ChannelServer, listenOnChannel, type Principal } from "./channel/server.ts";
export { CUSTODY_ERROR_CODES, CustodyError, type CustodyErrorCode } from "./errors.ts";
export { type KeyService, type KeyServiceOptions, listenForHeadEnds } from "./http/server.ts";
export type { LedgerOptions } from "./ledger/open-keeper.ts";
export { type EstService, listenForEnrolment } from "./pki/est/server.ts";
export { openPki, type Pki, type PkiOptions } from "./pki/open-pki.ts";
export type { Custody, CustodyOptions } from "./service/custody.ts";
export { type InstanceSettings, openCustody } from "./service/open-custody.ts";
export type { KeepingOf } from "./session/session-keys.ts";
export { type TrustedManufacturer, trustedManufacturer } from "./shipment/manufacturer.ts";
export { CUSTODY_MIGRATIONS, postgresCustodyStore } from "./store/postgres-store.ts";
export { FIELD_PACE, type Pace } from "./takeover/candidates.ts";
export { type OpenedVault, openVault, type VaultSource } from "./vault/open-vault.ts";
export type { Resealed } from "./vault/resealing.ts";
export type { RootChanged } from "./vault/root-change.ts";
export { type RootKeySource, readPassphrase } from "./vault/root-key.ts";
export { readTokensFile } from "./vault/tokens/tokens-file.ts";
