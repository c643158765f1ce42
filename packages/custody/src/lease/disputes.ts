import { type Dispute, journalWord, type RecordedLease } from "./field-record.ts";
import { reconciled } from "./reconciliation.ts";
import type { Journal } from "./signed-journal.ts";

/** Visits of one lease that the ledger keeps: a journal has room for many more. */
const MOST_VISITS = 200;

/** What a journal that comes back does not explain, or says itself that it cannot. `lease` has the journal already. */
export function disputesOf({ lease: id, used, passed }: Journal, lease: RecordedLease): readonly Dispute[] {
  const { meters } = lease.terms;
  const ofLease = (meter: string) => meters.find((one) => one.meter === meter);
  // A handheld that says it used counters of others lies, or somebody else does.
  const beyond = used.filter(({ meter, next }) => {
    const of = ofLease(meter);
    return of === undefined || next < of.first || next > of.first + of.count;
  });
  const strange = passed.some(({ meter, first, next }) => {
    const of = ofLease(meter);
    return of === undefined || first < of.first || next <= first || !used.some((one) => one.meter === meter);
  });
  const itself: Dispute[] =
    beyond.length > 0 || strange ? [{ lease: id, why: "its journal names counters that the handheld never had" }] : [];
  const own = meters.flatMap((leased): Dispute[] => {
    const { meter } = leased;
    const journal = journalWord(lease, meter);
    const { outcome, sentence } = reconciled({ leased, journal, read: lease.reads.get(meter), isRotated: false });
    const isKnown = lease.disputes.some(({ of }) => of === meter);
    return outcome === "finding" && !isKnown ? [{ lease: id, of: meter, why: sentence }] : [];
  });
  return [...itself, ...own];
}

/** A lease's disputes for those who have to look into them. */
export function disputeLines({ terms: { technician, handheld }, disputes }: RecordedLease): readonly string[] {
  return disputes.map(({ of, why }) => `${technician} (${handheld})${of === undefined ? "" : `, meter ${of}`}: ${why}`);
}

/** When its meters were visited, as the handheld says: what their logs of local sessions are compared with. */
export function visitsIn(text: string): readonly { readonly meter: string; readonly at: number }[] {
  const { acts } = JSON.parse(text) as { readonly acts?: unknown };
  if (!Array.isArray(acts)) return [];
  return acts
    .flatMap((act: { readonly meter?: unknown; readonly at?: unknown } | null) =>
      typeof act?.meter === "string" && Number.isSafeInteger(act.at)
        ? [{ meter: act.meter.slice(0, 16), at: Number(act.at) }]
        : [],
    )
    .slice(0, MOST_VISITS);
}
