/** SQLSTATE unique_violation. */
const UNIQUE_VIOLATION = "23505";

/** Whether PostgreSQL refused a row because its key is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return (error as { readonly code?: unknown } | undefined)?.code === UNIQUE_VIOLATION;
}
