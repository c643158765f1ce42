import { sendPush } from "@meterkeep/dlms-node";
import type { PushKind, VirtualMeter } from "@meterkeep/meter";
import type { Durability } from "./meter-line.ts";

/** Pushes under way at once. */
const CONCURRENCY = 32;
/** How long all pushes wait after one could not be delivered. Milliseconds. */
const PAUSE_MS = 1_000;
/** Wrapper ports of pushes: the logical device, and the client that listens. */
const SAPS = { sourceSap: 1, destinationSap: 1 } as const;

/**
 * Delivers pushes. A meter has at most one push of each kind waiting; while the head-end cannot be reached they wait, and a newer one takes the place of an older.
 *
 * States: running, with at most so many under way; paused after a failure, until its time is over; stopped.
 */
export class Pusher {
  readonly #durability: Durability;
  readonly #waiting = new Map<string, { readonly meter: VirtualMeter; readonly kind: PushKind }>();
  #underWay = 0;
  #pause: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(durability: Durability) {
    this.#durability = durability;
  }

  /** Queues a push; its values are those of the moment in which it leaves. */
  add(meter: VirtualMeter, kind: PushKind): void {
    this.#waiting.set(`${kind} ${meter.record.systemTitle}`, { meter, kind });
    this.#run();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#pause);
    this.#waiting.clear();
  }

  #run(): void {
    for (const [name, { meter, kind }] of this.#waiting) {
      if (this.#stopped || this.#pause !== undefined || this.#underWay >= CONCURRENCY) return;
      this.#waiting.delete(name);
      this.#underWay += 1;
      const apdu = meter.buildPush(kind);
      this.#durability.afterCommit(() => void this.#deliver(meter, kind, apdu));
    }
  }

  async #deliver(meter: VirtualMeter, kind: PushKind, apdu: Uint8Array): Promise<void> {
    const [host = "", port] = meter.pushDestination.split(":");
    const { transport } = meter.profile.push;
    try {
      await sendPush(apdu, { transport, host, port: Number(port), ...SAPS });
    } catch {
      // Nobody listens yet, or no longer: the meter tries again with the values of then.
      if (!this.#stopped) {
        this.#waiting.set(`${kind} ${meter.record.systemTitle}`, { meter, kind });
        this.#pause ??= setTimeout(() => {
          this.#pause = undefined;
          this.#run();
        }, PAUSE_MS);
      }
    }
    this.#underWay -= 1;
    this.#run();
  }
}
