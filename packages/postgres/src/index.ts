export {
  type ConnectionParts,
  connectionUrl,
  describeUrl,
  MAX_SOCKET_PATH_BYTES,
  serverPlace,
  socketIn,
  throughSocket,
  withCredentials,
} from "./connection-url.ts";
export { CopyRows, copyInto } from "./copy.ts";
export { type EmbeddedPostgres, type LaunchOptions, launchEmbedded } from "./embedded/launch.ts";
export { chooseOwner, type DatabaseOwner } from "./embedded/owner.ts";
export { type PostgresProgram, placeProgram } from "./embedded/program.ts";
export { POSTGRES_ERROR_CODES, PostgresError, type PostgresErrorCode } from "./error.ts";
export { acquireLock, type DirectoryLock, processStartTime } from "./lock.ts";
export {
  type Migration,
  type MigrationReport,
  type MigrationSource,
  migrate,
  pendingMigrations,
  readMigrations,
} from "./migrate.ts";
export { isPassing } from "./passing.ts";
export { createPool, createQueries, inTransaction, type PoolOptions } from "./pool.ts";
export {
  connectionOf,
  type LoginRole,
  type OwnedDatabase,
  type ProvisionOptions,
  provision,
  randomPassword,
} from "./provision.ts";
export { prepareSchema } from "./schema.ts";
export { isReachableByOthers, resolveStateDirectory, type StateDirectory } from "./state-directory.ts";
export { isUniqueViolation } from "./unique-violation.ts";
