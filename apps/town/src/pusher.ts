import type { PushKind, VirtualMeter } from "@meterkeep/meter";
import type { Durability } from "./meter-line.ts";
import type { WayOut } from "./way-out.ts";

/** Pushes under way at once. */
const CONCURRENCY = 32;

/**
 * Delivers pushes. When a push is due, and whether it is tried again, is its meter's to say; here it waits for its turn.
 *
 * States: running, with at most so many under way; stopped.
 */
export class Pusher {
  readonly #durability: Durability;
  readonly #wayOut: Pick<WayOut, "send">;
  readonly #waiting: { readonly meter: VirtualMeter; readonly kind: PushKind }[] = [];
  #underWay = 0;
  #stopped = false;

  constructor(durability: Durability, wayOut: Pick<WayOut, "send">) {
    this.#durability = durability;
    this.#wayOut = wayOut;
  }

  /** Queues a push that is due; its values are those of the moment in which it leaves. */
  add(meter: VirtualMeter, kind: PushKind): void {
    this.#waiting.push({ meter, kind });
    this.#run();
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
  }

  #run(): void {
    while (!this.#stopped && this.#underWay < CONCURRENCY) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const { meter, kind } = next;
      this.#underWay += 1;
      const apdu = meter.buildPush(kind);
      this.#durability.afterCommit(() => void this.#deliver(meter, kind, apdu));
    }
  }

  async #deliver(meter: VirtualMeter, kind: PushKind, apdu: Uint8Array): Promise<void> {
    const { pushDestination: destination, record, profile } = meter;
    const { transport } = profile.push;
    try {
      await this.#wayOut.send({ systemTitle: record.systemTitle, apdu, transport, destination });
      meter.pushes.settle(kind, "sent", meter.now());
    } catch {
      // Nobody listens yet, or no longer.
      meter.pushes.settle(kind, "failed", meter.now());
    }
    this.#underWay -= 1;
    this.#run();
  }
}
