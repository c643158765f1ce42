import { LANES, type MeterDirectory, type ReadResult, type SessionRecord, type WorkQueue } from "@meterkeep/headend";
import { pause } from "../repeat.ts";
import type { SupplyRead } from "./drills.ts";

export interface ReadBackPorts {
  readonly directory: Pick<MeterDirectory, "find">;
  readonly queue: Pick<WorkQueue, "due">;
  wake(): void;
  now(): number;
}

const DEADLINE_MILLISECONDS = 60_000;
/** Meters whose session failed are asked again this often. */
const AGAIN_MILLISECONDS = 2_000;

/** Reads the supply of meters back, each in a session of its own before all other work. */
export class ReadBack {
  readonly #ports: ReadBackPorts;
  readonly #waiting = new Map<string, (read: SupplyRead) => void>();

  constructor(ports: ReadBackPorts) {
    this.#ports = ports;
  }

  /** Tells of every session that has ended. */
  onSession(meter: string, session: SessionRecord, read: ReadResult | undefined): void {
    const supply = read?.supply;
    const waiting = this.#waiting.get(meter);
    if (waiting === undefined || supply === undefined || session.purpose !== "verify") return;
    this.#waiting.delete(meter);
    waiting({ meter, supply, session: session.id });
  }

  /** Resolves when all have been read, or were not reached within a minute: those are `unknown`. */
  async read(meters: readonly string[], onRead: (read: SupplyRead) => void): Promise<void> {
    const { directory, queue, wake, now } = this.#ports;
    const ended = new AbortController();
    const deadline = now() + DEADLINE_MILLISECONDS;
    for (const meter of meters)
      this.#waiting.set(meter, (read) => {
        onRead(read);
        if (this.#waiting.size === 0) ended.abort();
      });
    while (this.#waiting.size > 0 && now() < deadline) {
      const ids = [...this.#waiting.keys()].flatMap((title) => directory.find(title)?.id ?? []);
      await queue.due(ids, now(), LANES.onDemand, "verify");
      wake();
      await pause(AGAIN_MILLISECONDS, ended.signal);
    }
    for (const meter of [...this.#waiting.keys()]) {
      this.#waiting.delete(meter);
      onRead({ meter, supply: "unknown", session: undefined });
    }
  }
}
