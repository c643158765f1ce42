import { meterFacts } from "../protocol/meter-facts.ts";
import { LOGS_AWAITED_MILLISECONDS, type RecordedLease } from "./field-record.ts";
import type { LeasedMeter } from "./lease-file.ts";

/** A lease that is over, and a meter of it whose log is still to be read. */
export interface UnreadLog {
  readonly lease: string;
  readonly leased: LeasedMeter;
  readonly from: number;
  readonly endedAt: number;
}

/** Meters that came back from leases and whose logs of local sessions nobody has read since. */
export class UnreadLogs {
  #unread: ReadonlyMap<string, readonly UnreadLog[]> = new Map();

  /** Takes what the ledger says of leases. */
  learn(leases: Iterable<RecordedLease>): void {
    const unread = new Map<string, UnreadLog[]>();
    for (const { terms, state, endedAt = 0, logs } of leases)
      for (const leased of terms.meters) {
        const { meter, profile } = leased;
        if (state === "open" || logs.has(meter) || meterFacts(profile).localLogs === undefined) continue;
        const before = unread.get(meter) ?? [];
        unread.set(meter, [...before, { lease: terms.lease, leased, from: terms.from, endedAt }]);
      }
    this.#unread = unread;
  }

  /** The leases of a meter whose time its log still has to tell of. */
  of(systemTitle: string, now: number): readonly UnreadLog[] {
    const all = this.#unread.get(systemTitle) ?? [];
    return all.filter(({ endedAt }) => now <= endedAt + LOGS_AWAITED_MILLISECONDS);
  }

  /** Meters of which anything is still to be read. */
  titles(now: number): readonly string[] {
    return [...this.#unread.keys()].filter((title) => this.of(title, now).length > 0);
  }
}
