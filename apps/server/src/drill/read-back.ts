import { LANES, type MeterDirectory, type MeterId, type SessionNews, type WorkQueue } from "@meterkeep/headend";
import { pause } from "../repeat.ts";
import type { SupplyRead } from "./drills.ts";

export interface ReadBackPorts {
  readonly directory: Pick<MeterDirectory, "find">;
  readonly queue: Pick<WorkQueue, "due">;
  /** Which of these meters are still being taken over. */
  notInService(meters: readonly MeterId[]): Promise<ReadonlySet<MeterId>>;
  wake(): void;
  now(): number;
}

const DEADLINE_MILLISECONDS = 60_000;
/** Meters whose session failed are asked again this often. */
const AGAIN_MILLISECONDS = 2_000;
/** Meters on their way are asked this often, and so long. */
const LATER_MILLISECONDS = 5_000;
const LATER_DEADLINE_MILLISECONDS = 900_000;

/** One call of {@link ReadBack.read}, as long as any of its meters has not answered. */
interface Round {
  readonly waiting: Set<string>;
  /** Of those, who is not at its place yet. */
  readonly onTheirWay: Set<string>;
  readonly onRead: (read: SupplyRead) => void;
  /** Nobody is left to wait for now. */
  readonly settled: AbortController;
}

/**
 * Reads the supply of meters back, each in a session of its own before all other work. A meter that is still being
 * taken over, or has not come from the depot yet, holds nobody up: it is told as on its way, and asked until it answers.
 */
export class ReadBack {
  readonly #ports: ReadBackPorts;
  readonly #rounds = new Set<Round>();
  /** Meters that have answered in the field since the start. */
  readonly #reached = new Set<string>();
  readonly #closing = new AbortController();

  constructor(ports: ReadBackPorts) {
    this.#ports = ports;
  }

  /** Tells of every session that has ended. */
  onSession(session: Pick<SessionNews, "meter" | "id" | "purpose" | "outcome" | "supply">): void {
    const { meter, supply } = session;
    if (session.outcome === "done") this.#reached.add(meter);
    for (const round of [...this.#rounds]) {
      if (!round.waiting.has(meter) || session.purpose !== "verify") continue;
      if (supply !== undefined) this.#answered(round, meter, { meter, supply, session: session.id });
      else if (session.outcome === "lost" && this.#isUnderWay(meter)) this.#delayed(round, meter);
    }
  }

  /**
   * Resolves when all have been read, save those on their way, which are told later. Who was not reached within a minute is
   * `unknown`.
   */
  async read(meters: readonly string[], onRead: (read: SupplyRead) => void): Promise<void> {
    const { now } = this.#ports;
    const round: Round = { waiting: new Set(meters), onTheirWay: new Set(), onRead, settled: new AbortController() };
    this.#rounds.add(round);
    const signal = AbortSignal.any([round.settled.signal, this.#closing.signal]);
    const deadline = now() + DEADLINE_MILLISECONDS;
    while (isUnsettled(round) && now() < deadline && !signal.aborted) {
      await this.#ask(round);
      await pause(AGAIN_MILLISECONDS, signal);
    }
    for (const meter of [...round.waiting])
      if (!round.onTheirWay.has(meter)) this.#answered(round, meter, { meter, supply: "unknown", session: undefined });
    if (round.waiting.size > 0) void this.#later(round);
  }

  /** Ends what is still being asked. */
  close(): void {
    this.#closing.abort();
  }

  async #ask(round: Round): Promise<void> {
    const { directory, queue, notInService, wake, now } = this.#ports;
    const meters = [...round.waiting].flatMap((title) => directory.find(title) ?? []);
    const early = await notInService(meters.map(({ id }) => id));
    for (const { id, title } of meters) if (early.has(id)) this.#delayed(round, title);
    const ids = meters.filter(({ title }) => !round.onTheirWay.has(title)).map(({ id }) => id);
    if (ids.length === 0) return;
    await queue.due(ids, now(), LANES.onDemand, "verify");
    wake();
  }

  /** Goes on asking those that were on their way. */
  async #later(round: Round): Promise<void> {
    const { directory, queue, wake, now } = this.#ports;
    const deadline = now() + LATER_DEADLINE_MILLISECONDS;
    try {
      while (round.waiting.size > 0 && now() < deadline && !this.#closing.signal.aborted) {
        await pause(LATER_MILLISECONDS, this.#closing.signal);
        const ids = [...round.waiting].flatMap((title) => directory.find(title)?.id ?? []);
        await queue.due(ids, now(), LANES.onDemand, "verify");
        wake();
      }
    } catch {
      // The database is away, and whoever waits has the report: it keeps saying that they were on their way.
    } finally {
      this.#rounds.delete(round);
    }
  }

  #answered(round: Round, meter: string, read: SupplyRead): void {
    round.waiting.delete(meter);
    round.onTheirWay.delete(meter);
    round.onRead(read);
    this.#settle(round);
  }

  #delayed(round: Round, meter: string): void {
    if (round.onTheirWay.has(meter)) return;
    round.onTheirWay.add(meter);
    round.onRead({ meter, supply: "unknown", session: undefined, onItsWay: true });
    this.#settle(round);
  }

  #settle(round: Round): void {
    if (isUnsettled(round)) return;
    round.settled.abort();
    if (round.waiting.size === 0) this.#rounds.delete(round);
  }

  /** The depot is done with it and nobody has reached it in the field yet. */
  #isUnderWay(meter: string): boolean {
    return this.#ports.directory.find(meter)?.path === "depot" && !this.#reached.has(meter);
  }
}

function isUnsettled({ waiting, onTheirWay }: Round): boolean {
  return waiting.size > onTheirWay.size;
}
