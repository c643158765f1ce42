import { type Dispute, journalWord, loggedWord, type RecordedLease } from "./field-record.ts";
import type { LeasedMeter, LeaseTerms } from "./lease-file.ts";
import { CLOCK_TOLERANCE_MILLISECONDS, type Visit, type Visits } from "./local-sessions.ts";
import { reconciled } from "./reconciliation.ts";
import type { Journal } from "./signed-journal.ts";

/** Visits of one lease that the ledger keeps, in equal parts for its meters: a journal has room for many more. */
const MOST_VISITS = 1000;
const FEWEST_OF_A_METER = 8;
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

/**
 * When its meters were visited, as the handheld says: what their logs of local sessions are compared with. Of meters that were not lent,
 * and of times when they were not, nothing is kept; and nothing that says no more than what is kept beside it.
 */
export function visitsIn(text: string, { meters, from }: Pick<LeaseTerms, "meters" | "from">, now: number): Visits {
  const { acts } = JSON.parse(text) as { readonly acts?: unknown };
  if (!Array.isArray(acts)) return { visits: [] };
  const byMeter = new Map(meters.map(({ meter }) => [meter, [] as Visit[]]));
  for (const act of acts as readonly (Act | null)[]) {
    const { meter, at } = act ?? {};
    const own = typeof meter === "string" ? byMeter.get(meter) : undefined;
    if (own === undefined || !Number.isSafeInteger(at)) continue;
    if (Number(at) < from - CLOCK_TOLERANCE_MILLISECONDS || Number(at) > now + CLOCK_TOLERANCE_MILLISECONDS) continue;
    const isDone = act?.outcome === DONE;
    const isOwn = typeof act?.address === "string" && act.address.startsWith(DEVICE);
    const how = isOwn ? (isDone ? { isLocal: true } : { how: "failed" as const }) : { how: "network" as const };
    own.push({ meter: meter as string, at: Number(at), ...how });
  }
  const visited = [...byMeter].filter(([, visits]) => visits.length > 0);
  const share = Math.max(FEWEST_OF_A_METER, Math.floor(MOST_VISITS / Math.max(1, visited.length)));
  const cuts: Record<string, number> = {};
  const visits = visited.flatMap(([meter, all]) => {
    const own = telling(all);
    const cut = own[share];
    if (cut !== undefined) cuts[meter] = cut.at;
    return own.slice(0, share);
  });
  return { visits, ...(Object.keys(cuts).length > 0 && { cuts }) };
}

/** An act as a handheld may write it. */
type Act = Partial<Record<"meter" | "at" | "address" | "outcome", unknown>>;

/** Visits in the order of time, without those between two of their kind that explain whatever they do. */
function telling(visits: readonly Visit[]): readonly Visit[] {
  const kinds = Map.groupBy(visits, ({ how }) => how);
  const kept = [...kinds.values()].flatMap((kind) => {
    const own: Visit[] = [];
    const all = kind.toSorted((one, other) => one.at - other.at);
    for (const [nth, visit] of all.entries()) {
      const [before, next] = [own.at(-1), all[nth + 1]];
      const isBetween =
        before !== undefined && next !== undefined && next.at - before.at <= CLOCK_TOLERANCE_MILLISECONDS;
      if (!isBetween) own.push(visit);
    }
    return own;
  });
  return kept.toSorted((one, other) => one.at - other.at);
}
