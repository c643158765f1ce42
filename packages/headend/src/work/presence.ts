import type { Pool } from "pg";
import type { Scope } from "../database/scope.ts";

/** "mkwork" as a number: the advisory lock that every worker of a database holds shared for as long as it lives. */
const LOCK = 0x6d6b_776f_726b;

/** The channel on which whoever makes work says so. */
export const WORK_CHANNEL = "meterkeep_work";

/**
 * Says to the database that a worker lives here. A worker that finds itself alone knows that every lease is a dead one's
 * and frees them, so that a start after `kill -9` finds its work at once instead of when the leases run out. The epochs
 * stay: what the dead one may still have sent is fenced off as ever.
 *
 * The connection also hears when anybody made work (`onWork`), so that a worker that has none need not keep asking.
 */
export async function announceWorker(
  pool: Pick<Pool, "connect">,
  scope: Scope,
  onWork: () => void,
): Promise<AsyncDisposable> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ alone: boolean }>("select pg_try_advisory_lock($1) as alone", [LOCK]);
    if (rows[0]?.alone === true) {
      await client.query(
        `update work set leased_by = null, leased_until = null
         where utility_id = $1 and island_id = $2 and leased_by is not null`,
        [...scope.place],
      );
      await client.query("select pg_advisory_lock_shared($1), pg_advisory_unlock($1)", [LOCK]);
    } else await client.query("select pg_advisory_lock_shared($1)", [LOCK]);
    client.on("notification", onWork);
    await client.query(`listen ${WORK_CHANNEL}`);
  } catch (error) {
    client.release(true);
    throw error;
  }
  // Closing the connection is what gives the lock back.
  return { [Symbol.asyncDispose]: async () => client.release(true) };
}
