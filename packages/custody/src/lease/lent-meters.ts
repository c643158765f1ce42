import { CallRefusal } from "../calls/call-refusal.ts";
import type { RecordedLease } from "./field-record.ts";

type Holder = Pick<RecordedLease["terms"], "technician" | "until">;

/**
 * Meters that are with a technician now. Their next counters are the handheld's: a reading under a higher one would make the
 * meter refuse the handheld's, so that reading waits. What is more than reading does not, and takes the meter off its lease.
 */
export class LentMeters {
  #lent: ReadonlyMap<string, Holder> = new Map();
  /** Leases that are being written: the ledger does not have them yet. */
  readonly #lending = new Map<string, Holder>();

  /** Takes what the ledger says of leases. */
  learn(leases: Iterable<RecordedLease>): void {
    const open = [...leases].filter(({ state }) => state === "open");
    this.#lent = new Map(open.flatMap(({ terms }) => terms.meters.map(({ meter }) => [meter, terms] as const)));
  }

  /** Keeps meters for a lease until it is written, or has failed. */
  lend(systemTitles: readonly string[], holder: Holder): Disposable {
    for (const title of systemTitles) this.#lending.set(title, holder);
    return {
      [Symbol.dispose]: () => {
        for (const title of systemTitles) this.#lending.delete(title);
      },
    };
  }

  /** Milliseconds until a meter is no longer lent; 0 where it is not. */
  leftOf(systemTitle: string, now: number): number {
    return Math.max(0, (this.#holderOf(systemTitle)?.until ?? 0) - now);
  }

  /** @throws CallRefusal `meter-lent` */
  requireNotLent(systemTitle: string, now: number): void {
    const holder = this.#holderOf(systemTitle);
    if (holder === undefined || now >= holder.until) return;
    const until = new Date(holder.until).toISOString();
    throw new CallRefusal(
      "meter-lent",
      `meter ${systemTitle} is lent to ${holder.technician} until ${until}, and its counters with it: it is read again when the lease is returned, or over`,
    );
  }

  #holderOf(systemTitle: string): Holder | undefined {
    return this.#lending.get(systemTitle) ?? this.#lent.get(systemTitle);
  }
}
