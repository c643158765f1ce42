/** Every code of {@link PostgresError}; docs/errors.md explains each one. */
export const POSTGRES_ERROR_CODES = [
  "embedded-not-installed",
  "no-unprivileged-user",
  "initdb-failed",
  "postgres-start-failed",
  "data-of-other-version",
  "data-missing",
  "superuser-password-missing",
  "already-running",
  "state-directory-unusable",
  "socket-path-too-long",
  "server-too-old",
  "server-unreachable",
  "provision-refused",
  "schema-newer-than-program",
  "migration-changed",
  "migration-failed",
  "migrations-invalid",
  "schema-owner-missing",
] as const;
export type PostgresErrorCode = (typeof POSTGRES_ERROR_CODES)[number];

/** Something about the database server, its directory or a schema. The message says what, where and what to do. */
export class PostgresError extends Error {
  override readonly name = "PostgresError";
  readonly code: PostgresErrorCode;

  constructor(code: PostgresErrorCode, message: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.code = code;
  }
}
