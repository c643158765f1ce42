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
 */
export async function acknowledgeRestorations(dependencies: RestorationDependencies): Promise<void> {
  const { store, committer, escrow, use, now } = dependencies;
  const all = await store.restorations.list();
  if (all.length === 0) return;
  const said = (await store.ledger.ofItself())
    .filter(({ kind }) => kind === RESTORED)
    .map(({ body }) => JSON.parse(body) as Restoration);
  for (const restoration of all) {
    const { backup, restoredAt, knownUntil } = restoration;
    if (said.some((one) => one.backup === backup && one.restoredAt === restoredAt)) continue;
    const adopted = await adoptEscrow(dependencies, escrow, knownUntil);
    const counters = countersSince(now() - knownUntil, use);
    const body = { backup, restoredAt, knownUntil, counters, adopted };
    await committer.submit({ entries: [installationEntry(now(), RESTORED, "custodian", body)] });
  }
}
