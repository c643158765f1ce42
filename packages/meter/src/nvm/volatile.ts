import type { ProductionRecord } from "../production.ts";
import type { MemoryChange, MeterMemory, SetupChange, StoredMeter, StoredSetup } from "./memory.ts";

const UNUSED = { sendCounter: 0, receivedUnicast: -1, receivedBroadcast: -1 } as const;

/** A memory that lives as long as the process, for tests and benches. `restart` gives what a power cut would have left. */
export class VolatileMemory implements MeterMemory {
  readonly #meters: Map<string, StoredMeter>;
  #pending: { readonly systemTitle: string; readonly change: MemoryChange }[] = [];

  constructor(meters: readonly StoredMeter[] = []) {
    this.#meters = new Map(meters.map((meter) => [meter.record.systemTitle, meter]));
  }

  install(meters: readonly { readonly record: ProductionRecord; readonly firstInterval: number }[]): void {
    for (const { record, firstInterval } of meters) {
      if (this.#meters.has(record.systemTitle)) continue;
      const { keys, setups = [], ...rest } = record;
      this.#meters.set(record.systemTitle, {
        record: rest,
        keys,
        ...UNUSED,
        setups: setups.map((setup) => ({ ...setup, ...UNUSED })),
        firstInterval,
        relay: [],
        events: [],
        settings: {},
      });
    }
  }

  meters(): StoredMeter[] {
    return [...this.#meters.values()];
  }

  write(systemTitle: string, change: MemoryChange): void {
    this.#pending.push({ systemTitle, change });
  }

  get dirty(): boolean {
    return this.#pending.length > 0;
  }

  commit(): void {
    for (const { systemTitle, change } of this.#pending) {
      const meter = this.#meters.get(systemTitle);
      if (meter !== undefined) this.#meters.set(systemTitle, changed(meter, change));
    }
    this.#pending = [];
  }

  /** What a memory switched on after a power cut at this moment would hold. */
  restart(): VolatileMemory {
    return new VolatileMemory(this.meters());
  }

  close(): void {
    this.commit();
  }
}

function changed(meter: StoredMeter, change: MemoryChange): StoredMeter {
  switch (change.kind) {
    case "key":
    case "counters":
      if (change.setup === undefined) return { ...meter, ...changedSetup(meter, change) };
      return {
        ...meter,
        setups: meter.setups.map((one) =>
          one.setup === change.setup ? { ...one, ...changedSetup(one, change) } : one,
        ),
      };
    case "credentials":
      return { ...meter, credentials: change.credentials };
    case "relay":
      return { ...meter, relay: [...meter.relay, change.transition] };
    case "event": {
      const { event, capacity } = change;
      const kept = meter.events.filter((old) => old.log !== event.log || old.sequence > event.sequence - capacity);
      return { ...meter, events: [...kept, event] };
    }
    case "settings":
      return { ...meter, settings: change.settings };
    default:
      return change satisfies never;
  }
}

function changedSetup({ keys }: StoredSetup, change: SetupChange): Partial<StoredSetup> {
  return change.kind === "key"
    ? { keys: { ...keys, [change.purpose]: Uint8Array.from(change.octets) } }
    : { sendCounter: change.send, receivedUnicast: change.unicast, receivedBroadcast: change.broadcast };
}
