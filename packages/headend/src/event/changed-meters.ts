import type { MeterSummary } from "@meterkeep/api";
import type { MeterId } from "../inventory/meter.ts";
import type { EventHub } from "./event-hub.ts";

/** What it takes to tell watchers how meters stand. */
export interface ChangedMetersPorts {
  summaries(ids: readonly MeterId[]): Promise<readonly MeterSummary[]>;
  readonly events: Pick<EventHub, "publish" | "watchers" | "leaveOut">;
  onError(error: unknown): void;
}

const COLLECT_MILLISECONDS = 200;

/** Collects meters whose line has changed and publishes the lines together: one statement for many meters. */
export class ChangedMeters {
  readonly #ports: ChangedMetersPorts;
  readonly #changed = new Set<MeterId>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(ports: ChangedMetersPorts) {
    this.#ports = ports;
  }

  add(...ids: readonly MeterId[]): void {
    if (this.#closed) return;
    for (const id of ids) this.#changed.add(id);
    this.#timer ??= setTimeout(() => void this.flush(), COLLECT_MILLISECONDS);
  }

  /** Publishes what has been collected, now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ids = [...this.#changed];
    this.#changed.clear();
    if (ids.length === 0) return;
    // Lines are for pages alone, and cost a statement that joins half a dozen tables.
    if (this.#ports.events.watchers === 0) {
      this.#ports.events.leaveOut();
      return;
    }
    try {
      for (const summary of await this.#ports.summaries(ids)) this.#ports.events.publish("meter", summary);
    } catch (error) {
      this.#ports.onError(error);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
