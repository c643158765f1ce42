import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessName, ProcessStatus } from "@meterkeep/api/supervisor";

/** Something that runs: a process of ours, or PostgreSQL. */
export interface Running {
  readonly pid: number;
  readonly facts: { readonly [name: string]: string | number | boolean };
  /** Is fulfilled, with words for the reason, when it has ended for whatever reason. */
  readonly ended: Promise<string>;
  /** Closes it in order; is fulfilled when it has ended. */
  stop(): Promise<void>;
}

/** Launches it once; is fulfilled when it is ready, rejected when it ended before that. */
export type Launch<R extends Running> = (signal: AbortSignal) => Promise<R>;

/** What a keeper tells its supervisor. */
export interface KeeperEvents<R extends Running> {
  onStatus(status: ProcessStatus): void;
  /** It ended without being asked to, or could not be started again; the next try is after `delayMs`. */
  onDeath(reason: string, delayMs: number): void;
  onReturn(running: R): void;
}

/** The time a keeper lives by. */
export interface KeeperTime {
  /** Milliseconds since 1970. */
  now(): number;
  /** Is rejected when the signal is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** The machine's own time. */
export const SYSTEM_TIME: KeeperTime = {
  now: Date.now,
  sleep: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }),
};

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** Who has run this long has recovered: the next death waits the shortest time again. */
const RECOVERED_MS = 60_000;

/**
 * Keeps one process running. It is `starting` until it is ready for the first time, then `ready`, `restarting` from each
 * death until it is ready again, and `stopped` after {@link Keeper.stop}; `failed` when its first start failed. Only
 * `#become` changes the state.
 */
export class Keeper<R extends Running> {
  readonly name: ProcessName;
  readonly #launch: Launch<R>;
  readonly #events: KeeperEvents<R>;
  readonly #time: KeeperTime;
  readonly #stopping = new AbortController();
  #status: ProcessStatus;
  #running: R | undefined;
  #life: Promise<void> = Promise.resolve();

  constructor(name: ProcessName, launch: Launch<R>, events: KeeperEvents<R>, time: KeeperTime) {
    this.name = name;
    this.#launch = launch;
    this.#events = events;
    this.#time = time;
    this.#status = { name, state: "starting", since: time.now(), restarts: 0 };
  }

  get status(): ProcessStatus {
    return this.#status;
  }

  get running(): R | undefined {
    return this.#running;
  }

  /** Starts it for the first time. A failure here is final: nothing is tried again. */
  async start(): Promise<R> {
    this.#become("starting");
    try {
      const running = await this.#launch(this.#stopping.signal);
      this.#running = running;
      this.#become("ready", running.pid);
      this.#life = this.#keep(running);
      return running;
    } catch (error) {
      this.#become("failed");
      throw error;
    }
  }

  /** Stops it, whatever state it is in, and does not start it again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.stop();
    await this.#life;
    if (this.#status.state !== "failed") this.#become("stopped");
  }

  async #keep(first: R): Promise<void> {
    let life: { readonly running: R; readonly nextDelayMs: number } = { running: first, nextDelayMs: FIRST_DELAY_MS };
    for (;;) {
      const readySince = this.#time.now();
      const reason = await life.running.ended;
      this.#running = undefined;
      const recovered = this.#time.now() - readySince > RECOVERED_MS;
      const next = await this.#revive(reason, recovered ? FIRST_DELAY_MS : life.nextDelayMs);
      if (next === undefined) return;
      life = next;
    }
  }

  async #revive(death: string, firstDelayMs: number): Promise<{ running: R; nextDelayMs: number } | undefined> {
    let reason = death;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)) {
      if (this.#stopping.signal.aborted) return undefined;
      this.#status = { ...this.#status, restarts: this.#status.restarts + 1 };
      this.#become("restarting");
      this.#events.onDeath(reason, delayMs);
      try {
        await this.#time.sleep(delayMs, this.#stopping.signal);
        const running = await this.#launch(this.#stopping.signal);
        this.#running = running;
        this.#become("ready", running.pid);
        this.#events.onReturn(running);
        // Asked to stop while it was starting: what has just become ready must not be left behind.
        if (this.#stopping.signal.aborted) await running.stop();
        return { running, nextDelayMs: Math.min(delayMs * 2, MAX_DELAY_MS) };
      } catch (error) {
        reason = messageOf(error);
      }
    }
  }

  #become(state: ProcessStatus["state"], pid?: number): void {
    const { name, restarts } = this.#status;
    this.#status = { name, state, since: this.#time.now(), restarts, ...(pid !== undefined && { pid }) };
    this.#events.onStatus(this.#status);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
