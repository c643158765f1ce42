import { HeadEndError } from "../errors.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { CustodianRoom } from "./custodian-room.ts";
import { type Due, LANES, type Lease, type Places, type WorkQueue } from "./lease.ts";

/** What a worker needs: work, what to do with it, and time. */
export interface WorkerPorts {
  readonly queue: Pick<WorkQueue, "lease" | "abandon" | "nextDue">;
  /**
   * Holds one session and writes what it brought; it ends the lease, whatever happens. Resolves with when the meter is due
   * again, and in which lane: somebody may have asked for it meanwhile.
   */
  run(lease: Lease, signal: AbortSignal): Promise<Due>;
  /** What the custodian has room for. */
  readonly room: Pick<CustodianRoom, "places" | "shutUntil">;
  /** Meters whose sessions are held here were asked for, and are leased again when these are put away: soon, please. */
  hurry(meters: readonly MeterId[]): void;
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
/** Of a session that let an error out: its lease may stand in our name still, and looking again puts that right. */
const FAILED: Due = { dueAt: Number.NEGATIVE_INFINITY, lane: LANES.reading };
/** What comes due within this is leased together. */
const SHORTEST_REST_MILLISECONDS = 50;

/**
 * Keeps as many sessions going as it may. Nothing of what is to be done lives here: a worker that is killed leaves
 * leases that run out, and the next one finds the same work.
 *
 * States: *running* (leases and holds sessions), *closing* (leases nothing more, waits for its sessions), *closed*.
 *
 * It leases in two loops: for every lane, as places become free, of which there are no more than the custodian has room for; and
 * for what is asked on demand, as soon as somebody says so, so that this waits neither for a place nor for a lease of many that
 * is under way.
 */
export class Worker {
  readonly #ports: WorkerPorts;
  readonly #options: WorkerOptions;
  readonly #sessions = new Map<Promise<void>, MeterId>();
  readonly #closing = new AbortController();
  #wake = new AbortController();
  /** Ends the rest of the loop for what is asked on demand. */
  #asked = new AbortController();
  /** Places that a lease for every lane is under way for. */
  #taking = 0;
  /** Leases under way, until their sessions are held. */
  readonly #leasing = new Set<Promise<number>>();
  #puttingRight: Promise<void> | undefined;
  /** While everything due is leased: when the next look is. Who is due before wakes it. */
  #restsUntil = Number.NEGATIVE_INFINITY;
  /** When what was asked for on demand and had no room comes again. */
  #askedAgainAt = Number.POSITIVE_INFINITY;
  /** Somebody may have asked on demand while there was no place for that either. */
  #hasNoPlace = false;
  /** Too few places are free for a look. */
  #waitsForPlaces = false;
  #loops: Promise<unknown> | undefined;
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
    this.#loops ??= Promise.all([this.#run(), this.#runOnDemand()]);
  }

  /** Says that something may be due, and which meters were asked for on demand, where that is known. */
  wake(asked: readonly MeterId[] = []): void {
    if (asked.length > 0) {
      const held = new Set(this.#sessions.values());
      const hurried = asked.filter((meter) => held.has(meter));
      if (hurried.length > 0) this.#ports.hurry(hurried);
    }
    this.#wake.abort();
    this.#asked.abort();
  }

  /** Leases nothing more, cancels what is under way, and waits for it to be put away. */
  async close(): Promise<void> {
    this.#closing.abort(new HeadEndError("head-end-closed", "the head-end is closing"));
    this.wake();
    await this.#loops;
    await Promise.allSettled(this.#sessions.keys());
  }

  async #run(): Promise<void> {
    const { room, now, sleep } = this.#ports;
    while (!this.#closing.signal.aborted) {
      this.#wake = new AbortController();
      const shut = room.shutUntil - now();
      if (shut > 0) {
        await sleep(shut, this.#wake.signal);
        continue;
      }
      if (!this.#hasPlaces) {
        await this.#waitForPlaces();
        continue;
      }
      const any = this.#free;
      this.#taking = any;
      const leased = await this.#lease({ any, onDemand: 0 }).finally(() => {
        this.#taking = 0;
      });
      if (leased === 0) await this.#rest();
    }
  }

  /** Sessions at once, but for those that are asked for on demand. */
  get #places(): number {
    return Math.min(this.#options.concurrency, this.#ports.room.places);
  }

  get #free(): number {
    return this.#places - this.#sessions.size;
  }

  /** Leasing for one free place at a time would cost a statement a session; and who begins together shares what follows. */
  get #hasPlaces(): boolean {
    return this.#free >= Math.min(24, Math.ceil(this.#places / 4));
  }

  async #runOnDemand(): Promise<void> {
    const { concurrency, idleMilliseconds } = this.#options;
    const { now, sleep } = this.#ports;
    const most = concurrency + Math.ceil(concurrency / PLACES_FOR_ONE_ON_DEMAND);
    while (!this.#closing.signal.aborted) {
      this.#asked = new AbortController();
      if (this.#askedAgainAt <= now()) this.#askedAgainAt = Number.POSITIVE_INFINITY;
      const onDemand = most - this.#sessions.size - this.#taking;
      const leased = onDemand > 0 ? await this.#lease({ any: 0, onDemand }) : 0;
      if (onDemand <= 0) this.#hasNoPlace = true;
      // Who asked for more than there were places for is served by the next one that ends.
      else if (leased > 0 && leased === onDemand) continue;
      const again = Math.max(SHORTEST_REST_MILLISECONDS, this.#askedAgainAt - now());
      await sleep(Math.min(idleMilliseconds, again), this.#asked.signal);
      this.#hasNoPlace = false;
    }
  }

  /** Leases and begins sessions; zero where nothing is due, or the database is away. */
  async #lease(places: Places): Promise<number> {
    try {
      await this.#putRight();
      const leasing = this.#leaseAndHold(places);
      this.#leasing.add(leasing);
      return await leasing.finally(() => this.#leasing.delete(leasing));
    } catch (error) {
      this.#doubtful = true;
      this.#ports.onError(error);
      return 0;
    }
  }

  async #leaseAndHold(places: Places): Promise<number> {
    const { queue, now } = this.#ports;
    const leased = await queue.lease(this.#options.owner, places, now(), this.#options.leaseSeconds);
    for (const lease of leased) this.#hold(lease);
    return leased.length;
  }

  /** Frees leases that stand in our name and that we do not hold, when there may be some and none is being given. */
  async #putRight(): Promise<void> {
    if (this.#doubtful) {
      this.#doubtful = false;
      this.#puttingRight = (async () => {
        await Promise.allSettled(this.#leasing);
        await this.#ports.queue.abandon(this.#options.owner, [...this.#sessions.values()], this.#ports.now());
      })().finally(() => {
        this.#puttingRight = undefined;
      });
    }
    await this.#puttingRight;
  }

  #hold(lease: Lease): void {
    const session = this.#ports
      .run(lease, this.#closing.signal)
      .catch((error: unknown) => {
        this.#doubtful = true;
        this.#ports.onError(error);
        return FAILED;
      })
      .then(({ dueAt, lane }) => {
        this.#sessions.delete(session);
        if ((this.#waitsForPlaces && this.#hasPlaces) || dueAt < this.#restsUntil) this.#wake.abort();
        if (lane === LANES.onDemand) this.#askedAgainAt = Math.min(this.#askedAgainAt, dueAt);
        if (this.#hasNoPlace || lane === LANES.onDemand) this.#asked.abort();
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

  /** Too few places are free: waits for more, or until somebody says that something may be due. */
  async #waitForPlaces(): Promise<void> {
    this.#waitsForPlaces = true;
    await this.#ports.sleep(this.#options.idleMilliseconds, this.#wake.signal);
    this.#waitsForPlaces = false;
  }
}
