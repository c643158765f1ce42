import type { Pool, PoolClient } from "pg";
import type { Scope } from "../database/scope.ts";
import type { MeterId } from "../inventory/meter.ts";
import { SESSION_BACKOFF } from "./backoff.ts";

/** "work" as a number: the class of the advisory locks by which workers are known. */
const LOCK_CLASS = 0x776f_726b;

/** The channel on which whoever makes work says so. */
export const WORK_CHANNEL = "meterkeep_work";

/** A notification is less than 8 000 octets. Of more meters at once nobody waits for one of them in particular. */
const MOST_NAMED = 500;

/** What is said on {@link WORK_CHANNEL} when meters are asked for on demand: `utility island meter meter...`; nothing where they are many. */
export function askedText({ place }: Scope, meters: readonly MeterId[]): string {
  return meters.length > MOST_NAMED ? "" : [...place, ...meters].join(" ");
}

/** The meters of a place that were asked for, of what was said. */
export function askedOf({ place }: Scope, text: string | undefined): readonly MeterId[] {
  const [utility, island, ...meters] = (text ?? "").split(" ").map(Number);
  return utility === place[0] && island === place[1] ? (meters as MeterId[]) : [];
}

/** How long to wait before a connection that was lost is sought again, and at most when that fails. */
const PAUSE_MILLISECONDS = { first: 250, ceiling: 5_000 } as const;

/** Between looks for workers that died: while somebody seems dead, and else. */
const LOOK_MILLISECONDS = { suspicious: 1_000, calm: 5_000 } as const;

export interface PresencePorts {
  /** Somebody made work, or may have while nobody listened; which meters were asked for on demand, as far as that was said. */
  onWork(asked: readonly MeterId[]): void;
  /** How many processes are here to hold sessions, this one included: told at each look. */
  onWorkers?(count: number): void;
  /** The connection was lost, or could not be made anew; it is tried again. */
  onError(error: unknown): void;
}

/**
 * Says to the database that the worker `owner` lives here, and frees what dead workers had leased: who is missing at two
 * looks in a row is dead, since a worker that only lost its connection is back sooner. So work that was under way at a
 * `kill -9` goes on after a second or two, here or at any other worker, instead of when its leases run out. The epochs stay:
 * what the dead one may still have sent is fenced off as ever.
 *
 * The connection also hears when anybody made work, so that a worker that has none need not keep asking. When it breaks, it
 * is made anew until the worker is disposed of.
 *
 * @throws when the first connection cannot be made
 */
export async function announceWorker(
  pool: Pick<Pool, "connect">,
  scope: Scope,
  owner: string,
  ports: PresencePorts,
): Promise<AsyncDisposable> {
  const presence = new Presence(pool, scope, owner, ports);
  await presence.announce();
  return presence;
}

/**
 * The connection that a worker is known by.
 *
 * States: *present* (`#client` holds the lock, listens and looks), *away* (it broke; a timer or an attempt brings it back),
 * *ended*.
 */
class Presence implements AsyncDisposable {
  readonly #pool: Pick<Pool, "connect">;
  readonly #scope: Scope;
  readonly #owner: string;
  readonly #ports: PresencePorts;
  #client: PoolClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempt: Promise<void> | undefined;
  /** Workers that were missing at the last look. */
  #missing: readonly string[] = [];
  #ended = false;

  constructor(pool: Pick<Pool, "connect">, scope: Scope, owner: string, ports: PresencePorts) {
    this.#pool = pool;
    this.#scope = scope;
    this.#owner = owner;
    this.#ports = ports;
  }

  async announce(): Promise<void> {
    await this.#connect();
    this.#attempt = this.#look();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#attempt;
    // Closing the connection is what gives the lock back.
    this.#client?.release(true);
    this.#client = undefined;
  }

  async #connect(): Promise<void> {
    const client = await this.#pool.connect();
    try {
      // Shared, since the server may not have noticed yet that our last connection is gone.
      await client.query("select pg_advisory_lock_shared($1, hashtext($2))", [LOCK_CLASS, this.#owner]);
      await client.query("insert into workers values ($1, $2, $3) on conflict do nothing", [
        ...this.#scope.place,
        this.#owner,
      ]);
      client.on("notification", ({ payload }) => this.#ports.onWork(askedOf(this.#scope, payload)));
      client.on("error", (error) => this.#lost(client, error));
      await client.query(`listen ${WORK_CHANNEL}`);
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.#client = client;
  }

  /** Frees what those had leased who were missing last time and are missing still. */
  async #look(): Promise<void> {
    const client = this.#client;
    if (client === undefined || this.#ended) return;
    try {
      const [utility, island] = this.#scope.place;
      if (this.#missing.length > 0) {
        const { rowCount } = await client.query(FREE, [utility, island, LOCK_CLASS, this.#missing]);
        // Every worker hears of it, this one too.
        if ((rowCount ?? 0) > 0) await client.query(`notify ${WORK_CHANNEL}`);
      }
      const { rows } = await client.query<{ owner: string; missing: boolean }>(ALL, [utility, island, LOCK_CLASS]);
      this.#missing = rows.flatMap(({ owner, missing }) => (missing ? [owner] : []));
      this.#ports.onWorkers?.(Math.max(1, rows.length - this.#missing.length));
    } catch (error) {
      // A connection that broke says so itself, and is made anew.
      if (this.#client === client) this.#ports.onError(error);
    }
    if (this.#client !== client) return;
    const { suspicious, calm } = LOOK_MILLISECONDS;
    this.#after(this.#missing.length > 0 ? suspicious : calm, () => this.#look());
  }

  #lost(client: PoolClient, error: unknown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.release(true);
    this.#ports.onError(error);
    this.#again(PAUSE_MILLISECONDS.first);
  }

  #again(milliseconds: number): void {
    this.#after(milliseconds, async () => {
      try {
        await this.#connect();
      } catch (error) {
        this.#ports.onError(error);
        this.#again(Math.min(milliseconds * 2, PAUSE_MILLISECONDS.ceiling));
        return;
      }
      // What was made meanwhile, nobody heard.
      this.#ports.onWork([]);
      await this.#look();
    });
  }

  #after(milliseconds: number, then: () => Promise<void>): void {
    if (this.#ended) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#attempt = then();
    }, milliseconds);
  }
}

/** Workers of class `$3` whose lock nobody holds. */
const IS_LOCKLESS = `
  not exists (
    select from pg_locks l
    where l.locktype = 'advisory' and l.granted and l.objsubid = 2
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid = $3::bigint::oid and l.objid = (hashtext(w.owner::text)::bigint & 4294967295)::oid)`;

/** The same of a place. */
const IS_MISSING = `w.utility_id = $1 and w.island_id = $2 and ${IS_LOCKLESS}`;

const ALL = `
  select w.owner, ${IS_LOCKLESS} as missing from workers w where w.utility_id = $1 and w.island_id = $2`;

// A worker that died may have died of a meter: each death is a failure of those that it had. After the first they go on at
// once, for it was hardly theirs; whoever is there at the next as well waits, twice as long each time.
const FREE = `
  with dead as (delete from workers w where ${IS_MISSING} and w.owner = any($4::uuid[]) returning w.owner)
  update work set leased_by = null, leased_until = null, attempts = least(attempts + 1, 1000),
    due_at = case when attempts = 0 then due_at else greatest(due_at, now() + make_interval(secs =>
      least(${SESSION_BACKOFF.ceilingSeconds}, ${SESSION_BACKOFF.firstSeconds} * 2 ^ least(attempts, 30)))) end
  where utility_id = $1 and island_id = $2 and leased_by in (select owner from dead)`;
