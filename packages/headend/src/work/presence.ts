import type { Pool, PoolClient } from "pg";
import type { Scope } from "../database/scope.ts";

/** "mkwork" as a number: the advisory lock that every worker of a database holds shared for as long as it lives. */
const LOCK = 0x6d6b_776f_726b;

/** The channel on which whoever makes work says so. */
export const WORK_CHANNEL = "meterkeep_work";

/** How long to wait before a connection that was lost is sought again, and at most when that fails. */
const PAUSE_MILLISECONDS = { first: 250, ceiling: 5_000 } as const;

export interface PresencePorts {
  /** Somebody made work, or may have while nobody listened. */
  onWork(): void;
  /** The connection was lost, or could not be made anew; it is tried again. */
  onError(error: unknown): void;
}

/**
 * Says to the database that a worker lives here. A worker that finds itself alone knows that every lease is a dead one's
 * and frees them, so that a start after `kill -9` finds its work at once instead of when the leases run out. The epochs
 * stay: what the dead one may still have sent is fenced off as ever.
 *
 * The connection also hears when anybody made work, so that a worker that has none need not keep asking. When it breaks, it
 * is made anew until the worker is disposed of; nothing is freed then, for the leases are this worker's own.
 *
 * @throws when the first connection cannot be made
 */
export async function announceWorker(
  pool: Pick<Pool, "connect">,
  scope: Scope,
  ports: PresencePorts,
): Promise<AsyncDisposable> {
  const presence = new Presence(pool, ports);
  await presence.announce(scope);
  return presence;
}

/**
 * The connection that a worker is known by.
 *
 * States: *present* (`#client` holds the lock and listens), *away* (it broke; a timer or an attempt brings it back),
 * *ended*.
 */
class Presence implements AsyncDisposable {
  readonly #pool: Pick<Pool, "connect">;
  readonly #ports: PresencePorts;
  #client: PoolClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempt: Promise<void> | undefined;
  #ended = false;

  constructor(pool: Pick<Pool, "connect">, ports: PresencePorts) {
    this.#pool = pool;
    this.#ports = ports;
  }

  async announce(scope: Scope): Promise<void> {
    await this.#connect(async (client) => {
      const { rows } = await client.query<{ alone: boolean }>("select pg_try_advisory_lock($1) as alone", [LOCK]);
      if (rows[0]?.alone !== true) return;
      await client.query(
        `update work set leased_by = null, leased_until = null
         where utility_id = $1 and island_id = $2 and leased_by is not null`,
        [...scope.place],
      );
      // Shared first, so that there is no moment without; held twice does no harm, it ends with the connection.
      await client.query("select pg_advisory_lock_shared($1), pg_advisory_unlock($1)", [LOCK]);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#attempt;
    // Closing the connection is what gives the lock back.
    this.#client?.release(true);
    this.#client = undefined;
  }

  async #connect(first?: (client: PoolClient) => Promise<void>): Promise<void> {
    const client = await this.#pool.connect();
    try {
      await first?.(client);
      await client.query("select pg_advisory_lock_shared($1)", [LOCK]);
      client.on("notification", this.#ports.onWork);
      client.on("error", (error) => this.#lost(client, error));
      await client.query(`listen ${WORK_CHANNEL}`);
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.#client = client;
  }

  #lost(client: PoolClient, error: unknown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.release(true);
    this.#ports.onError(error);
    this.#again(PAUSE_MILLISECONDS.first);
  }

  #again(milliseconds: number): void {
    if (this.#ended) return;
    this.#timer = setTimeout(() => {
      this.#attempt = this.#connect()
        // What was made meanwhile, nobody heard.
        .then(this.#ports.onWork)
        .catch((error: unknown) => {
          this.#ports.onError(error);
          this.#again(Math.min(milliseconds * 2, PAUSE_MILLISECONDS.ceiling));
        });
    }, milliseconds);
  }
}
