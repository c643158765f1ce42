import { type Dispute, journalWord, loggedWord, type RecordedLease } from "./field-record.ts";
import type { LeasedMeter } from "./lease-file.ts";
import type { Visit, Visits } from "./local-sessions.ts";
import { reconciled } from "./reconciliation.ts";
import type { Journal } from "./signed-journal.ts";

/** Visits of one lease that the ledger keeps: a journal has room for many more. */
const MOST_VISITS = 1000;
/** How handhelds write down a device of their own, and that a visit came to its end. */
const DEVICE = "serial";
const DONE = "done";

/** What a journal that comes back does not explain, or says itself that it cannot. `lease` has the journal already. */
export function disputesOf(
  { lease: id, used, passed }: Journal,
  lease: RecordedLease,
  now: number,
): readonly Dispute[] {
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
    const isKnown = lease.disputes.some(({ of, byLog }) => of === meter && byLog !== true);
    return outcome === "finding" && !isKnown ? [{ lease: id, of: meter, why: sentence }] : [];
  });
  return [...itself, ...own, ...meters.flatMap((leased) => logDispute(lease, leased, now))];
}

/** What a meter's log disputes, which nothing has disputed yet. */
export function logDispute(lease: RecordedLease, leased: LeasedMeter, now: number): readonly Dispute[] {
  const { meter } = leased;
  const { outcome, sentence } = loggedWord(lease, leased, now);
  const isKnown = lease.disputes.some(({ of, byLog }) => of === meter && byLog === true);
  return outcome === "finding" && !isKnown ? [{ lease: lease.terms.lease, of: meter, byLog: true, why: sentence }] : [];
}

/** A lease's disputes for those who have to look into them. */
export function disputeLines({ terms: { technician, handheld }, disputes }: RecordedLease): readonly string[] {
  return disputes.map(({ of, why }) => `${technician} (${handheld})${of === undefined ? "" : `, meter ${of}`}: ${why}`);
}

/** When its meters were visited, as the handheld says: what their logs of local sessions are compared with. */
export function visitsIn(text: string): Visits {
  const { acts } = JSON.parse(text) as { readonly acts?: unknown };
  if (!Array.isArray(acts)) return { visits: [], isCut: false };
  const visits = acts.flatMap(
    (act: Partial<Record<"meter" | "at" | "address" | "outcome", unknown>> | null): Visit[] => {
      if (typeof act?.meter !== "string" || !Number.isSafeInteger(act.at)) return [];
      const isLocal = typeof act.address === "string" && act.address.startsWith(DEVICE) && act.outcome === DONE;
      return [{ meter: act.meter.slice(0, 16), at: Number(act.at), ...(isLocal && { isLocal }) }];
    },
  );
  return { visits: visits.slice(0, MOST_VISITS), isCut: visits.length > MOST_VISITS };
}
