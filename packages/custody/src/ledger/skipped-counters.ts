import { DEFAULT_KEEPER_SETTINGS, type KeeperSettings, type LedgerStore, RESUMED } from "@meterkeep/ledger";
import type { BucketSize } from "../calls/token-bucket.ts";
import { LARGEST_BLOCK } from "../protocol/send-counters.ts";
import { DEFAULT_SEAL_BUDGET } from "../session/seal-budget.ts";

/**
 * Kind of the entry that a start writes when the ledger does not end with a stop: a crash, or a database put back to a
 * moment that no witness has seen. The two cannot be told apart, so counters are left out after both.
 */
export const UNCLEAN_START = "ledger-unclean-start";

/** Kind of the entry that a custodian writes when its database came from a backup. */
export const RESTORED = "ledger-custody-restored";

/** Principals that may use one line: head-ends, the depot, the operator. */
const PRINCIPALS = 4;
/** Budgets are full again after a restart: so many restarts within what was lost are covered. */
const RESTARTS = 64;

/** How fast counters of one line can be used, and how long before a witness knows of it. */
export interface UseOfCounters {
  readonly budget: BucketSize;
  readonly settings: Pick<KeeperSettings, "everySeconds">;
}

/** What holds unless configuration says otherwise. */
export const DEFAULT_USE: UseOfCounters = { budget: DEFAULT_SEAL_BUDGET, settings: DEFAULT_KEEPER_SETTINGS };

/** Whether the ledger ends with the stop of a custodian, or is empty. */
export async function endedWithStop(ledger: Pick<LedgerStore, "size" | "read">): Promise<boolean> {
  const size = await ledger.size();
  if (size === 0) return true;
  const [last] = await ledger.read(size - 1, 1);
  return last?.kind === "custodian-stopped";
}

/** What one line may have used between two checkpoints: no witness knows of it. */
export function countersOfWindow({ budget, settings }: UseOfCounters = DEFAULT_USE): number {
  return PRINCIPALS * Math.ceil(budget.burst + budget.perSecond * settings.everySeconds) + LARGEST_BLOCK;
}

/**
 * How many counters a line leaves out for what is not in this database any more: entries that were lost for certain
 * (`ledger-resumed`), and those that may have been (`ledger-unclean-start`). A line whose mark was written after is
 * known again.
 *
 * Bounded by what the budgets allow in the time that was lost, and by a sixteenth of a line, so that no loss exhausts one.
 */
export function skippedAfterLoss(
  ledger: Pick<LedgerStore, "ofItself">,
  use: UseOfCounters = DEFAULT_USE,
): (markedAt: number) => Promise<number> {
  return async (markedAt) => {
    let sum = 0;
    for (const { kind, sequence, at, body } of await ledger.ofItself()) {
      if (sequence <= markedAt) continue;
      const said = JSON.parse(body) as {
        readonly lost?: number;
        readonly since?: number | null;
        readonly counters?: number;
      };
      if (kind === UNCLEAN_START || kind === RESTORED) sum += Math.min(said.counters ?? 0, MOST_OF_A_LOSS);
      if (kind === RESUMED)
        sum += Math.min((said.lost ?? 0) * LARGEST_BLOCK, countersSince(at - (said.since ?? 0), use), MOST_OF_A_LOSS);
    }
    return sum;
  };
}

/** Of the 2^32 - 1 that a line has: no meter has used as many in the time of a loss, whatever its callers were allowed. */
export const MOST_OF_A_LOSS: number = 2 ** 28;

/** What one line may have used in so long, whatever its callers wanted. */
export function countersSince(milliseconds: number, { budget }: UseOfCounters): number {
  const used = Math.ceil(RESTARTS * budget.burst + (budget.perSecond * Math.max(0, milliseconds)) / 1000);
  return PRINCIPALS * used + LARGEST_BLOCK;
}
