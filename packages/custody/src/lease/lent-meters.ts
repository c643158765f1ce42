import { CallRefusal } from "../calls/call-refusal.ts";
import type { RecordedLease } from "./field-record.ts";
import type { LeasedMeter } from "./lease-file.ts";

type Holder = Pick<RecordedLease["terms"], "technician" | "until">;

/** A meter whose lease is over, and of which not all is known yet that it tells. */
export interface ReturnedMeter {
  readonly lease: string;
  readonly leased: LeasedMeter;
  readonly technician: string;
  readonly endedAt: number;
  /** Whether it has been asked what it counted. */
  readonly isCounted: boolean;
  /** The highest counter that was heard of it when it was lent; absent where its answers are counted, or cannot be. */
  readonly heard: number | undefined;
}

/** How long a reading waits for the counter to be asked for: it would use a higher one, and what came under the lease's would not show. */
const COUNTED_MILLISECONDS = 900_000;

/**
 * Meters that are with a technician now, or were and have not been asked since what they counted. Their next counters are the
 * handheld's: a reading under a higher one would make the meter refuse the handheld's, so that reading waits. What is more than reading
 * does not, and takes the meter off its lease.
 */
export class LentMeters {
  #lent: ReadonlyMap<string, Holder> = new Map();
  #returned: ReadonlyMap<string, ReturnedMeter> = new Map();
  /** Meters that count under other keys by now, by lease: there is nothing to ask them. */
  readonly #rotated = new Set<string>();
  /** Leases that are being written: the ledger does not have them yet. */
  readonly #lending = new Map<string, Holder>();

  /** Takes what the ledger says of leases, in their order. */
  learn(leases: Iterable<RecordedLease>): void {
    const lent = new Map<string, Holder>();
    const returned = new Map<string, ReturnedMeter>();
    for (const { terms, state, endedAt = 0, reads, answers, heard } of leases)
      for (const leased of terms.meters) {
        const { meter } = leased;
        const { lease, technician } = terms;
        if (state === "open") lent.set(meter, terms);
        const isCounted = reads.has(meter);
        const last = answers.has(meter) ? undefined : heard[meter];
        const isTold = isCounted && last === undefined;
        if (state === "open" || isTold || this.#rotated.has(`${lease}/${meter}`)) returned.delete(meter);
        else returned.set(meter, { lease, leased, technician, endedAt, isCounted, heard: last });
      }
    [this.#lent, this.#returned] = [lent, returned];
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

  /** The lease that a meter came back from, while it has more to tell about it; undefined where there is none. */
  returned(systemTitle: string): ReturnedMeter | undefined {
    return this.#holderOf(systemTitle) === undefined ? this.#returned.get(systemTitle) : undefined;
  }

  /** The keys that a meter was lent with are gone. */
  rotated(lease: string, systemTitle: string): void {
    this.#rotated.add(`${lease}/${systemTitle}`);
    if (this.#returned.get(systemTitle)?.lease !== lease) return;
    this.#returned = new Map([...this.#returned].filter(([title]) => title !== systemTitle));
  }

  /** @throws CallRefusal `meter-lent` */
  requireNotLent(systemTitle: string, now: number): void {
    const holder = this.#holderOf(systemTitle);
    if (holder !== undefined && now < holder.until) {
      const until = new Date(holder.until).toISOString();
      throw new CallRefusal(
        "meter-lent",
        `meter ${systemTitle} is lent to ${holder.technician} until ${until}, and its counters with it: it is read again when the lease is returned, or over`,
      );
    }
    const returned = holder === undefined ? this.#returned.get(systemTitle) : undefined;
    if (returned === undefined || returned.isCounted || now >= returned.endedAt + COUNTED_MILLISECONDS) return;
    throw new CallRefusal(
      "meter-lent",
      `meter ${systemTitle} was lent to ${returned.technician}: what it has counted is asked for first, which the change of its keys begins with`,
    );
  }

  #holderOf(systemTitle: string): Holder | undefined {
    return this.#lending.get(systemTitle) ?? this.#lent.get(systemTitle);
  }
}
