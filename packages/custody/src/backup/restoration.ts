import { countingReads, type LedgerReads } from "@meterkeep/ledger";
import type { KeyEscrow } from "../escrow/key-escrow.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { countersSince, RESTORED, type UseOfCounters } from "../ledger/skipped-counters.ts";
import type { CustodyStore, Restoration } from "../store/store.ts";
import { type AdoptionDependencies, adoptEscrow } from "./escrow-adoption.ts";

/** What a restored custody is made good with, before it serves anybody. */
export interface RestorationDependencies extends Omit<AdoptionDependencies, "store"> {
  readonly store: Pick<CustodyStore, "load" | "rotations" | "restorations" | "ledger">;
  readonly escrow: Pick<KeyEscrow, "read">;
  readonly use: UseOfCounters;
}

/**
 * Makes good what a restored database does not know: keys of the escrow are adopted, then the ledger says that it was
 * restored and how many counters each line leaves out, enough for everything that could have been used since its last
 * change. Before that entry nothing uses a counter; a process that dies on the way begins anew.
 *
 * The rows that say so carry no MAC. They are believed that something was lost, and not since when: of what has served before, the
 * ledger knows better. Several at one start are one loss.
 */
export async function acknowledgeRestorations(dependencies: RestorationDependencies): Promise<void> {
  const { store, committer, escrow, use, now } = dependencies;
  const all = await store.restorations.list();
  if (all.length === 0) return;
  const said = (await store.ledger.ofItself())
    .filter(({ kind }) => kind === RESTORED)
    .map(({ body }) => JSON.parse(body) as Restoration);
  const isSaid = ({ backup, restoredAt }: Restoration) =>
    said.some((one) => one.backup === backup && one.restoredAt === restoredAt);
  const unsaid = all.filter((restoration) => !isSaid(restoration));
  if (unsaid.length === 0) return;
  const served = await lastServed(countingReads(store.ledger));
  const since = Math.max(served, Math.min(...unsaid.map(({ knownUntil }) => knownUntil)));
  const adopted = await adoptEscrow(dependencies, escrow, since);
  const counters = countersSince(now() - since, use);
  const entries = unsaid.map(({ backup, restoredAt, knownUntil }, at) => {
    const body = { backup, restoredAt, knownUntil, since, counters: at === 0 ? counters : 0, adopted };
    return installationEntry(now(), RESTORED, "custodian", body);
  });
  await committer.submit({ entries });
}

/**
 * When this custodian served last, by its newest entry that no start writes before it has acknowledged a restore: such a start may
 * have been killed on the way, any number of times, and what it has written is newer than all that was lost. 0 where it never has.
 */
async function lastServed(ledger: Pick<LedgerReads, "size" | "read" | "ofKinds">): Promise<number> {
  const size = await ledger.size();
  for (let before = size; before > Math.max(0, size - MOST_READ); before -= PAGE_ENTRIES) {
    const from = Math.max(0, before - PAGE_ENTRIES);
    const page = (await ledger.read(from, before - from)).filter(({ sequence }) => sequence <= before);
    const served = page.findLast(({ kind }) => SERVED.has(kind));
    if (served !== undefined) return served.at;
  }
  return (await ledger.ofKinds(["custodian-started"])).at(-1)?.at ?? 0;
}

/** What is written by a custodian that serves, or is about to: every use of a counter is after one of its reservations. */
const SERVED: ReadonlySet<string> = new Set([
  "custodian-started",
  "custodian-stopped",
  "counters-reserved",
  "session-opened",
  "backup-begun",
]);
const PAGE_ENTRIES = 1000;
/** Entries that are looked through from the end; starts that were killed have written few. */
const MOST_READ = 20_000;
