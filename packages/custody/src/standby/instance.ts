import type { Pool, PoolClient } from "pg";
import { CustodyError } from "../errors.ts";

/** "mkcu" as a number: the first half of the advisory locks that say whether the holder of an epoch is still connected. */
const LOCK = 0x6d6b_6375;
const BEAT_MILLISECONDS = 1000;
const LOOK_MILLISECONDS = 250;
const WAIT_MILLISECONDS = 10_000;
/** Its own word that it is the custodian is worth so long: a process that was stopped asks before it uses a key. */
const SURE_MILLISECONDS = 5000;
/** A takeover waits so long for transactions of the former one, then ends their sessions. */
const PATIENCE_MILLISECONDS = 1000;

/** How a process becomes the custodian of its database. */
export interface InstanceOptions {
  /** Shown to the next one: host and process. */
  readonly holder: string;
  /**
   * For a standby: how long the custodian may give no sign before its place is taken. Without it the place is only taken
   * from one that is not connected any more, and after ten seconds given up.
   */
  readonly silentMilliseconds?: number;
  readonly waitMilliseconds?: number;
  /** Aborts waiting. */
  readonly signal?: AbortSignal;
  /** Called once where another custodian holds the database: this one waits. */
  readonly onWaiting?: () => void;
  /** Called once when another has taken over, or nobody can say any more. */
  readonly onLost: (error: CustodyError) => void;
}

/** Held as long as this process is the custodian. */
export interface Instance {
  readonly epoch: number;
  /** Refuses when this process has not been sure for seconds that it is still the custodian. @throws CustodyError `custody-fenced` */
  check(): void;
  release(): Promise<void>;
}

interface Seen {
  readonly epoch: number;
  readonly beat: number;
  readonly holder: string;
}

/**
 * Makes this process the custodian of its database: takes an epoch above all former ones, which every session of `pool`
 * carries from then on. The database refuses each write of a former epoch, so that a process which was stopped, cut off
 * or moved and comes back can neither reserve a counter nor write the ledger (migration 0008, ADR 0019).
 *
 * Whether a former custodian is there is told by an advisory lock of its session and by its beat, watched with this
 * process's own clock; no two clocks are compared. Being wrong about it costs that one its place, never a counter.
 *
 * @throws CustodyError `custody-already-running`, or the reason of `signal`
 */
export async function becomeInstance(pool: Pool, options: InstanceOptions): Promise<Instance> {
  const { holder, onLost } = options;
  const { epoch, presence } = await claim(pool, options, holder);
  let released = false;
  let sureUntil = performance.now() + SURE_MILLISECONDS;
  const lose = (why: string): void => {
    if (released) return;
    released = true;
    clearInterval(beating);
    sureUntil = Number.NEGATIVE_INFINITY;
    presence.end();
    onLost(fenced(epoch, why));
  };
  try {
    await pool.query("select fence_tables()");
    await carryEpoch(pool, epoch);
  } catch (error) {
    // Whoever does not become it holds up nobody who could.
    presence.end();
    throw error;
  }
  let beatingSince: number | undefined;
  const beat = async (): Promise<void> => {
    const from = performance.now();
    // One that has got no answer for so long hangs on a connection that is gone.
    if (beatingSince !== undefined && from - beatingSince < SURE_MILLISECONDS) return;
    beatingSince = from;
    try {
      const { rows } = await pool.query<{ beaten: boolean }>("select beat_instance($1) as beaten", [epoch]);
      if (rows[0]?.beaten === true) sureUntil = from + SURE_MILLISECONDS;
      else lose("another custodian has taken over");
      if (!released) await presence.renew();
    } catch {
      // The database is away: nothing can be written, and what was reserved is good for as long as one is sure.
    } finally {
      if (beatingSince === from) beatingSince = undefined;
    }
  };
  const beating = setInterval(() => void beat(), BEAT_MILLISECONDS);
  await beat();
  return {
    epoch,
    check: () => {
      if (performance.now() > sureUntil) throw fenced(epoch, "it has heard nothing of its database for seconds");
    },
    release: async () => {
      released = true;
      clearInterval(beating);
      presence.end();
    },
  };
}

/** Whether a database's refusal is that of a custodian whose epoch is past. */
export function isFenced(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === "MK001";
}

/** The error of a custodian that is one no more. */
export function fenced(epoch: number | undefined, why: string): CustodyError {
  const of = epoch === undefined ? "" : ` of epoch ${epoch}`;
  return new CustodyError("custody-fenced", `this custodian${of} uses no key: ${why}`);
}

interface Claimed {
  readonly epoch: number;
  readonly presence: Presence;
}

async function claim(pool: Pool, options: InstanceOptions, holder: string): Promise<Claimed> {
  const { silentMilliseconds, waitMilliseconds = WAIT_MILLISECONDS, signal, onWaiting } = options;
  const begun = performance.now();
  let last: Seen | undefined;
  let since = begun;
  let isWaiting = false;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const seen = await look(pool);
      if (last === undefined || last.epoch !== seen.epoch || last.beat !== seen.beat) since = performance.now();
      last = seen;
      const isSilent = silentMilliseconds !== undefined && performance.now() - since > silentMilliseconds;
      if (isSilent || (await isGone(pool, seen.epoch))) {
        const claimed = await take(pool, seen.epoch, holder);
        if (claimed !== undefined) return claimed;
      }
      if (!isWaiting) onWaiting?.();
      isWaiting = true;
    } catch (error) {
      // A standby outlives its database's restarts.
      if (silentMilliseconds === undefined) throw error;
      last = undefined;
    }
    if (silentMilliseconds === undefined && performance.now() - begun >= waitMilliseconds)
      throw new CustodyError(
        "custody-already-running",
        `another custodian (${last?.holder ?? "unknown"}) runs on this database: stop that one first`,
      );
    await pause(LOOK_MILLISECONDS);
  }
}

async function look(pool: Pool): Promise<Seen> {
  const { rows } = await pool.query<{ epoch: string; beat: string; holder: string }>(
    "select epoch, beat, holder from custodian_instance",
  );
  const [row] = rows;
  if (row === undefined)
    throw new CustodyError("custody-already-running", "the row of the custodian's instance is gone");
  return { epoch: Number(row.epoch), beat: Number(row.beat), holder: row.holder };
}

/** Whether the session of an epoch's holder has ended: its lock is free. */
async function isGone(pool: Pool, epoch: number): Promise<boolean> {
  const { rows } = await pool.query<{ free: boolean }>("select pg_try_advisory_xact_lock($1, $2) as free", [
    LOCK,
    halfOf(epoch),
  ]);
  return rows[0]?.free === true;
}

/** Takes the epoch after `seen`: first its lock, so that nobody finds it without a holder. */
async function take(pool: Pool, seen: number, holder: string): Promise<Claimed | undefined> {
  const presence = new Presence(pool, seen + 1);
  if (!(await presence.renew())) return undefined;
  const epoch = await takeEpoch(pool, seen, holder).catch(() => undefined);
  if (epoch === seen + 1) return { epoch, presence };
  presence.end();
  return undefined;
}

/** Whoever holds up the claim with a transaction of a former epoch loses its session. */
async function takeEpoch(pool: Pool, seen: number, holder: string): Promise<number | undefined> {
  const client = await pool.connect();
  let ended = false;
  try {
    const { rows: own } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    const claimed = client.query<{ epoch: string | null }>("select claim_instance($1, $2) as epoch", [seen, holder]);
    const done = claimed.finally(() => {
      ended = true;
    });
    done.catch(() => undefined);
    while (!(await Promise.race([done.then(() => true), pause(PATIENCE_MILLISECONDS).then(() => ended)])))
      await pool.query("select pg_terminate_backend(pid) from unnest(pg_blocking_pids($1)) as pid", [own[0]?.pid]);
    const { rows } = await claimed;
    const epoch = rows[0]?.epoch;
    return epoch === null || epoch === undefined ? undefined : Number(epoch);
  } finally {
    client.release(!ended);
  }
}

/** Every session of the pool writes under the epoch: those that are open, and those that come. */
async function carryEpoch(pool: Pool, epoch: number): Promise<void> {
  pool.options.options = `-c meterkeep.epoch=${epoch}`;
  await Promise.all(
    Array.from({ length: pool.idleCount }, async () => {
      const client = await pool.connect();
      let isCarried = false;
      try {
        await client.query(`set meterkeep.epoch = '${epoch}'`);
        isCarried = true;
      } finally {
        client.release(!isCarried);
      }
    }),
  );
}

/** The advisory lock of an epoch, on a connection of its own, taken anew when that breaks. */
class Presence {
  readonly #pool: Pool;
  readonly #epoch: number;
  #client: PoolClient | undefined;

  constructor(pool: Pool, epoch: number) {
    this.#pool = pool;
    this.#epoch = epoch;
  }

  /** Takes the lock where it is not held. @returns whether it is now. */
  async renew(): Promise<boolean> {
    if (this.#client !== undefined) return true;
    const client = await this.#pool.connect();
    try {
      const { rows } = await client.query<{ held: boolean }>("select pg_try_advisory_lock($1, $2) as held", [
        LOCK,
        halfOf(this.#epoch),
      ]);
      if (rows[0]?.held !== true) {
        client.release();
        return false;
      }
    } catch (error) {
      client.release(true);
      throw error;
    }
    client.once("error", () => {
      if (this.#client !== client) return;
      this.#client = undefined;
      client.release(true);
    });
    this.#client = client;
    return true;
  }

  end(): void {
    // Ending the session is what surely gives the lock back.
    this.#client?.release(true);
    this.#client = undefined;
  }
}

/** Advisory locks take two signed 32-bit numbers. */
function halfOf(epoch: number): number {
  return epoch % 0x7fff_ffff;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
