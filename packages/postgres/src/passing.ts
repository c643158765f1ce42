/** SQLSTATE classes of what passes: connection, rollback by contention, resources, object in use, operator, system. */
const PASSING = /^(08|40|53|55|57|58)[0-9A-Z]{3}$/;
/** What Node says of sockets, and `pg` of connections that end: the former have a code, the latter a sentence only. */
const AWAY = /^(ECONN|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/;
const ENDED =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

/** Whether the database was away or busy, so that the same may succeed later; false where the statement is at fault. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return PASSING.test(code) || AWAY.test(code) || ENDED.test(error.message);
}
