import { HeadEndError } from "../errors.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { Lease, WorkQueue } from "./lease.ts";

/** What a worker needs: work, what to do with it, and time. */
export interface WorkerPorts {
  readonly queue: Pick<WorkQueue, "lease" | "abandon" | "nextDue">;
  /**
   * Holds one session and writes what it brought; it ends the lease, whatever happens. Resolves with the time at which the
   * meter is due again.
   */
  run(lease: Lease, signal: AbortSignal): Promise<number>;
  /** An error that `run` let out, or the queue's. */
  onError(error: unknown): void;
  now(): number;
  /** Resolves after so many milliseconds, at once when `signal` aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export interface WorkerOptions {
  /** Names this worker in leases. */
  readonly owner: string;
  /** Sessions at once; some more where they are asked for on demand. */
  readonly concurrency: number;
  /** Longer than any session may take. */
  readonly leaseSeconds: number;
  /** How long it looks away at most while nothing is due: a lease of a dead worker may have run out. */
  readonly idleMilliseconds: number;
}

/** Beyond its places a worker keeps one for so many of them, for what is asked on demand. */
const PLACES_FOR_ONE_ON_DEMAND = 8;
/** What comes due within this is leased together. */
const SHORTEST_REST_MILLISECONDS = 50;

/**
 * Keeps as many sessions going as it may. Nothing of what is to be done lives here: a worker that is killed leaves
 * leases that run out, and the next one finds the same work.
 *
 * States: *running* (leases and holds sessions), *closing* (leases nothing more, waits for its sessions), *closed*.
 */
export class Worker {
  readonly #ports: WorkerPorts;
  readonly #options: WorkerOptions;
  readonly #sessions = new Map<Promise<void>, MeterId>();
  readonly #closing = new AbortController();
  #wake = new AbortController();
  /** While everything due is leased: when the next look is. Who is due before wakes it. */
  #restsUntil = Number.NEGATIVE_INFINITY;
  /** So many places must be free before the next look. */
  #waitsForPlaces: number | undefined;
  #loop: Promise<void> | undefined;
  /** Something could not be written or asked: leases may stand in our name that we do not hold. */
  #doubtful = false;

  constructor(ports: WorkerPorts, options: WorkerOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Sessions under way. */
  get busy(): number {
    return this.#sessions.size;
  }

  start(): void {
    if (this.#closing.signal.aborted) throw new HeadEndError("head-end-closed", "a closed worker does not start again");
    this.#loop ??= this.#run();
  }

  /** Says that something may be due. */
  wake(): void {
    this.#wake.abort();
  }

  /** Leases nothing more, cancels what is under way, and waits for it to be put away. */
  async close(): Promise<void> {
    this.#closing.abort(new HeadEndError("head-end-closed", "the head-end is closing"));
    this.#wake.abort();
    await this.#loop;
    await Promise.allSettled(this.#sessions.keys());
  }

  async #run(): Promise<void> {
    const { queue, now, onError } = this.#ports;
    const { owner, concurrency, leaseSeconds } = this.#options;
    const reserved = Math.ceil(concurrency / PLACES_FOR_ONE_ON_DEMAND);
    while (!this.#closing.signal.aborted) {
      this.#wake = new AbortController();
      const free = concurrency - this.#sessions.size;
      // Leasing for one free place at a time would cost a statement a session; who asks on demand does not wait for more.
      const fewest = Math.min(8, Math.ceil(concurrency / 4));
      const any = free < fewest ? 0 : free;
      const onDemand = reserved + free - any;
      try {
        if (this.#doubtful) {
          this.#doubtful = false;
          await queue.abandon(owner, [...this.#sessions.values()], now());
        }
        const leased = await queue.lease(owner, { any, onDemand }, now(), leaseSeconds);
        for (const lease of leased) this.#hold(lease);
        if (any === 0) {
          // Who asked for more than there were places for is served by the next one that ends.
          await this.#waitForPlaces(leased.length < onDemand ? fewest : concurrency - this.#sessions.size + 1);
          continue;
        }
        if (leased.length > 0) continue;
      } catch (error) {
        this.#doubtful = true;
        onError(error);
      }
      await this.#rest();
    }
  }

  #hold(lease: Lease): void {
    const session = this.#ports
      .run(lease, this.#closing.signal)
      .catch((error: unknown) => {
        this.#doubtful = true;
        this.#ports.onError(error);
        return Number.NEGATIVE_INFINITY;
      })
      .then((dueAt) => {
        this.#sessions.delete(session);
        const free = this.#options.concurrency - this.#sessions.size;
        if (free >= (this.#waitsForPlaces ?? Number.POSITIVE_INFINITY) || dueAt < this.#restsUntil) this.#wake.abort();
      });
    this.#sessions.set(session, lease.meter.id);
  }

  /** Everything that is due is leased: looks away until more comes due. */
  async #rest(): Promise<void> {
    const { queue, now, sleep, onError } = this.#ports;
    let wait = this.#options.idleMilliseconds;
    this.#restsUntil = now() + wait;
    try {
      const due = await queue.nextDue();
      if (due !== undefined) wait = Math.min(wait, Math.max(SHORTEST_REST_MILLISECONDS, due - now()));
    } catch (error) {
      onError(error);
    }
    this.#restsUntil = now() + wait;
    await sleep(wait, this.#wake.signal);
    this.#restsUntil = Number.NEGATIVE_INFINITY;
  }

  /** Too few places are free: waits for so many, or until somebody says that something may be due. */
  async #waitForPlaces(free: number): Promise<void> {
    const { concurrency, idleMilliseconds } = this.#options;
    if (concurrency - this.#sessions.size >= free) return;
    this.#waitsForPlaces = free;
    await this.#ports.sleep(idleMilliseconds, this.#wake.signal);
    this.#waitsForPlaces = undefined;
  }
}
