import type { Pool, PoolClient } from "pg";
import { CustodyError } from "../errors.ts";

/** "mkcustod" in part: the advisory lock of the one custodian that writes to a database. */
const LOCK = 0x6d6b_6375_7374;
const RETRY_MILLISECONDS = 250;
const WAIT_MILLISECONDS = 10_000;

/** Held as long as this process is the only custodian of its database. */
export interface InstanceLock {
  release(): Promise<void>;
}

/**
 * Makes this process the only custodian of its database. A former one that was just killed is waited for.
 *
 * When the connection that holds the lock breaks, because the database restarts, it is taken anew; `onLost` is called
 * when somebody else has it then. Nothing breaks while two run (counters, journals and the ledger are guarded by the
 * database itself), they would only get in each other's way.
 *
 * @throws CustodyError `custody-already-running`.
 */
export async function holdInstanceLock(
  pool: Pool,
  onLost: (error: CustodyError) => void,
  waitMilliseconds = WAIT_MILLISECONDS,
): Promise<InstanceLock> {
  let released = false;
  let holder: PoolClient | undefined;
  /** Once, whoever comes first: a connection that is being ended may break as well. */
  const letGo = (): void => {
    const held = holder;
    holder = undefined;
    held?.release(true);
  };
  const hold = (client: PoolClient): void => {
    holder = client;
    client.once("error", () => {
      if (holder !== client) return;
      letGo();
      if (!released) void again();
    });
  };
  const again = async (): Promise<void> => {
    for (;;) {
      try {
        hold(await lock(pool, waitMilliseconds));
        if (released) letGo();
        return;
      } catch (error) {
        if (error instanceof CustodyError) {
          onLost(error);
          return;
        }
        // The database is not back yet.
        await pause();
        if (released) return;
      }
    }
  };
  hold(await lock(pool, waitMilliseconds));
  return {
    release: async () => {
      released = true;
      // Ending the session is what surely gives the lock back.
      letGo();
    },
  };
}

async function lock(pool: Pool, waitMilliseconds: number): Promise<PoolClient> {
  const client = await pool.connect();
  try {
    for (let waited = 0; waited <= waitMilliseconds; waited += RETRY_MILLISECONDS) {
      const { rows } = await client.query<{ held: boolean }>("select pg_try_advisory_lock($1) as held", [LOCK]);
      if (rows[0]?.held === true) return client;
      await pause();
    }
  } catch (error) {
    client.release(true);
    throw error;
  }
  client.release();
  throw new CustodyError("custody-already-running", "another custodian runs on this database: stop that one first");
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
}
